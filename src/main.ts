import './node-env.ts';
import './compile-cache.ts';

await import('./start.ts');
