import { type DocumentNode, GraphQLError, Lexer, parse, Source, TokenKind } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';

/** Characters of the documents that are kept parsed, all together. A parsed one takes up to three hundred times its text. */
const KEPT_CHARACTERS = 256 * 1024;
const KEPT_OF_FAILURES = 64 * 1024;

/** Brackets within brackets: far more than what MAX_DEPTH lets through has, and few enough for the stack of the parser. */
const NESTED = 200;
const OPENING: readonly TokenKind[] = [TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L];
const CLOSING: readonly TokenKind[] = [TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R];

/** Refuses a document that is too long, or nested too deeply, before it is parsed: the parser calls itself for each level. */
export function limitTokens(limit: number): Plugin {
  return {
    onParse({ setParseFn }) {
      setParseFn((source: Parameters<typeof parse>[0], options: Parameters<typeof parse>[1]) => {
        checkTokens(typeof source === 'string' ? new Source(source) : source, limit);
        return parse(source, options);
      });
    },
  };
}

/** @throws GraphQLError also for what is no token */
function checkTokens(source: Source, limit: number): void {
  const lexer = new Lexer(source);
  let level = 0;
  for (let count = 0; lexer.advance().kind !== TokenKind.EOF; ) {
    const { kind } = lexer.token;
    count++;
    if (OPENING.includes(kind)) level++;
    else if (CLOSING.includes(kind)) level--;
    if (count > limit) throw refusal('TOKEN_LIMIT_EXCEEDED', limit, `The document has more than ${limit} tokens.`);
    if (level > NESTED)
      throw refusal('DEPTH_LIMIT_EXCEEDED', NESTED, `The document has more than ${NESTED} brackets within each other.`);
  }
}

function refusal(code: string, limit: number, message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code, limit, http: { spec: true, status: 400 } } });
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
