import { type DocumentNode, GraphQLError, parse } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';

/** Characters of the documents that are kept parsed, all together. A parsed one takes up to three hundred times its text. */
const KEPT_CHARACTERS = 256 * 1024;
const KEPT_OF_FAILURES = 64 * 1024;

/** Stops parsing a document that goes on too long. */
export function limitTokens(limit: number): Plugin {
  return {
    onParse({ setParseFn }) {
      setParseFn((source: Parameters<typeof parse>[0], options: Parameters<typeof parse>[1]) => {
        try {
          return parse(source, { ...options, maxTokens: limit });
        } catch (error) {
          if (!(error instanceof GraphQLError && error.message.includes('Parsing aborted'))) throw error;
          const extensions = { code: 'TOKEN_LIMIT_EXCEEDED', limit, http: { spec: true, status: 400 } };
          throw new GraphQLError(`The document has more than ${limit} tokens.`, { extensions });
        }
      });
    },
  };
}

/** What yoga keeps of documents. Its own caches hold a thousand of any size: a gigabyte, for somebody who wants to fill them. */
export function documentCaches() {
  const options = (maxSize: number) => ({
    maxSize,
    // Of a quarter of the room at most, so that one document does not drive out all others.
    maxEntrySize: maxSize / 4,
    sizeCalculation: (_value: unknown, text: string) => Math.max(text.length, 1),
  });
  return {
    documentCache: new LRUCache<string, DocumentNode>(options(KEPT_CHARACTERS)),
    errorCache: new LRUCache<string, Error>(options(KEPT_OF_FAILURES)),
  };
}
