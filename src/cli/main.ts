import '../node-env.ts';
import '../compile-cache.ts';

await import('./run.ts');
