import { PGlite } from '@electric-sql/pglite';

// The least that a start with the embedded database takes: node bare-start.ts FOLDER opens it, or makes it, asks it something,
// and says how long that took since the process began, in milliseconds.

const database = await PGlite.create(process.argv[2] ?? '');
await database.query('SELECT 1');
process.stdout.write(String(performance.now()));
await database.close();
