// What is used of packages that are installed for the bench only, so that it is checked without them too.

declare module 'autocannon' {
  interface Client {
    setRequests(requests: { body: string; headers: Record<string, string> }[]): void;
  }
  interface Run {
    on(event: 'response', listener: (client: Client, status: number, bytes: number, ms: number) => void): void;
    on(event: 'reqError', listener: (error: Error) => void): void;
  }
  export default function autocannon(options: {
    url: string;
    method: string;
    headers: Record<string, string>;
    connections: number;
    /** Seconds. */
    duration: number;
    setupClient: (client: Client) => void;
  }): Run;
}

declare module 'fastify' {
  interface Fastify {
    register(plugin: object, options: object): PromiseLike<void>;
    ready(): PromiseLike<void>;
    server: import('node:http').Server;
  }
  export default function fastify(): Fastify;
}

declare module 'mercurius' {
  interface FieldNode {
    name: { value: string };
    selectionSet: { selections: FieldNode[] };
  }
  /** A field of the document, of what resolvers are given. */
  export interface Selection {
    fieldNodes: [FieldNode];
  }
  const plugin: object;
  export default plugin;
}

declare module 'postgraphile' {
  export function postgraphile(preset: object): {
    createServ(kind: object): { addTo(server: import('node:http').Server): Promise<void> };
    getSchema(): Promise<object>;
  };
}

declare module 'postgraphile/adaptors/pg' {
  export function makePgService(options: { connectionString: string; schemas: string[] }): object;
}

declare module 'postgraphile/grafast' {
  export interface Step {
    get(column: string): Step;
  }
  export function lambda(step: Step, compute: (value: unknown) => unknown, isSyncAndSafe: boolean): Step;
}

declare module 'postgraphile/grafserv/node' {
  export const grafserv: object;
}

declare module 'postgraphile/presets/amber' {
  export const PostGraphileAmberPreset: object;
}

declare module 'postgraphile/utils' {
  import type { Step } from 'postgraphile/grafast';
  export function gql(texts: TemplateStringsArray): object;
  export function extendSchema(extension: {
    typeDefs: object;
    objects: Record<string, { plans: Record<string, (parent: Step) => Step> }>;
  }): object;
}
