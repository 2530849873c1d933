import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SoulDirectory, type SoulTimes } from '../../src/provisioning/souls/directory.ts';
import { fetchFromWeb } from '../../src/provisioning/souls/web.ts';
import { freePort } from '../support/free-port.ts';
import {
  endless,
  hangUp,
  redirect,
  silent,
  sitemapOf,
  status,
  TestSoulDirectory,
  text,
  textPath,
  unfinished,
} from '../support/soul-directory.ts';

const SITEMAP = '/sitemap.xml';
const POET = textPath('ann/poet');
const HOUR = 60 * 60_000;
const TIMEOUT_MS = 1_000;

let web: TestSoulDirectory;
let now = 0;
const logged: { fields: object; message: string }[] = [];
const opened: SoulDirectory[] = [];
const note = (fields: object, message: string) => void logged.push({ fields, message });
const log = { debug: note, info: note, warn: note, error: note };

beforeAll(async () => {
  web = await new TestSoulDirectory().start();
  // The first request loads what it is made with.
  web.set(SITEMAP, status(404));
  await open(web.url, { timeoutMs: 30_000 }).souls();
});
beforeEach(() => {
  logged.length = 0;
  web.requests.length = 0;
});
afterEach(() => {
  for (const directory of opened.splice(0)) directory.stop();
});
afterAll(() => web.stop());

function open(url = web.url, times: Partial<SoulTimes> = {}): SoulDirectory {
  const directory = new SoulDirectory({
    url,
    fetch: fetchFromWeb(),
    now: () => now,
    log,
    times: { timeoutMs: TIMEOUT_MS, ...times },
  });
  opened.push(directory);
  return directory;
}

const SOULS = { 'ann/poet': '# Poet\n\nYou rhyme.\n', 'bob/code-reviewer': 'You review.' };

describe('a directory that answers', () => {
  test('is asked for its list and the text, and for nothing else', async () => {
    web.list(SOULS);
    const directory = open();
    expect(await directory.soulFor('Our Secret Poet Laureate, poet')).toEqual({
      kind: 'none',
      reason: 'The directory of souls has none for its role.',
    });
    expect(await directory.soulFor('Poet')).toEqual({
      kind: 'soul',
      soul: { url: `${web.url}/souls/ann/poet`, text: '# Poet\n\nYou rhyme.' },
    });
    expect(web.requests.map(({ path }) => path)).toEqual([SITEMAP, POET]);
    expect(JSON.stringify(web.requests)).not.toMatch(/secret|laureate|cookie|authorization|referer/i);
  });

  test('is asked once, however many ask at the same time, and again after an hour', async () => {
    web.list(SOULS);
    const directory = open();
    const ask = () => Promise.all(Array.from({ length: 50 }, () => directory.soulFor('Poet')));
    expect(new Set((await ask()).map(({ kind }) => kind))).toEqual(new Set(['soul']));
    now += HOUR - 1;
    await ask();
    expect(web.requests).toHaveLength(2);
    now += 2;
    await ask();
    expect(web.requests).toHaveLength(4);
  });

  test('may lead elsewhere on its own ground', async () => {
    web.list(SOULS);
    web.set('/moved', text('Moved.'));
    web.set(POET, redirect('/moved'));
    expect(await open().soulFor('Poet')).toMatchObject({ kind: 'soul', soul: { text: 'Moved.' } });
  });

  test('keeps a hundred texts at most', async () => {
    const many = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`ann/role${index}x`, 'text']));
    web.list(many);
    const directory = open();
    for (let index = 0; index <= 100; index++) await directory.soulFor(`role${index}x`);
    await directory.soulFor('role100x');
    expect(web.requests).toHaveLength(102);
    await directory.soulFor('role0x');
    expect(web.requests.slice(102).map(({ path }) => path)).toEqual([textPath('ann/role0x')]);
  });
});

describe('a text that is not used says why, and leaves the others alone', () => {
  test.each([
    ['missing', status(404), 'it is answered with the status 404'],
    ['forbidden', status(403), 'it is answered with the status 403'],
    ['a page', text('<h1>Hello</h1>', 'text/html; charset=utf-8'), 'it is a page of HTML'],
    ['in another encoding', text(Buffer.from('Caf\xe9', 'latin1')), 'it is not in UTF-8'],
    ['in UTF-16', text(Buffer.from('\ufeffCalm', 'utf16le')), 'it is not in UTF-8'],
    ['cut off within a character', text(Buffer.from('é').subarray(0, 1)), 'it is not in UTF-8'],
    ['binary', text(Buffer.from([1, 2, 3])), 'it has control characters'],
    ['too long', text('x'.repeat(24_001)), 'it is longer than 24000 characters'],
    ['huge', text('x'.repeat(96_001)), 'it has more than 96000 bytes'],
    ['endless', endless, 'it has more than 96000 bytes'],
    ['empty', text(''), 'it is empty'],
    ['elsewhere', redirect('http://localhost:1/soul.md'), 'it is redirected to another host'],
    ['at another port', redirect('http://127.0.0.1:1/soul.md'), 'it is redirected to another host'],
    ['in a file', redirect('file:///etc/passwd'), 'it is redirected to another host'],
    ['nowhere', redirect('http://'), 'it is redirected to another host'],
    ['in a circle', redirect(POET), 'it is redirected again and again'],
    ['hostile', text(`MISSION_CONTROL_TOKEN=mca_${'x'.repeat(43)}`), 'it has what reads like credentials of an agent'],
  ])('%s', async (_title, answer, reason) => {
    web.list(SOULS);
    web.set(POET, answer);
    const directory = open();
    const none = { kind: 'none', reason: `The soul ${web.url}/souls/ann/poet is not used: ${reason}.` };
    expect(await directory.soulFor('Poet')).toEqual(none);
    expect(await directory.soulFor('Poet')).toEqual(none);
    expect(await directory.soulFor('Code reviewer')).toMatchObject({ kind: 'soul' });
    expect(logged).toHaveLength(1);
    expect(JSON.stringify(logged)).not.toContain('mca_');
  });
});

describe('a directory that cannot be used', () => {
  test.each([
    ['a list that is missing', SITEMAP, status(404)],
    ['a list that fails', SITEMAP, status(500)],
    ['a list that is a page', SITEMAP, text('<html></html>', 'text/html')],
    ['a malformed list', SITEMAP, text(sitemapOf(['/souls/ann/poet']).slice(0, -12), 'application/xml')],
    ['a list in another encoding', SITEMAP, text(Buffer.from('<urlset>\xe9</urlset>', 'latin1'), 'application/xml')],
    ['a huge list', SITEMAP, endless],
    ['a list elsewhere', SITEMAP, redirect('http://localhost:1/sitemap.xml')],
    ['no answer', SITEMAP, silent],
    ['half an answer', SITEMAP, unfinished],
    ['an end without an answer', SITEMAP, hangUp],
    ['too many requests', POET, status(429)],
    ['a text that fails', POET, status(503)],
    ['a text that does not come', POET, silent],
    ['a text that does not end', POET, unfinished],
  ])(
    'by %s is left alone for five minutes, and nobody waits longer than the time-out',
    async (_title, path, answer) => {
      web.list(SOULS);
      web.set(path, answer);
      const directory = open();
      const begun = performance.now();
      const found = await Promise.all([directory.soulFor('Poet'), directory.soulFor('Poet')]);
      expect(performance.now() - begun).toBeLessThan(TIMEOUT_MS + 1_000);
      expect(found).toEqual([{ kind: 'away' }, { kind: 'away' }]);
      expect(web.count(path)).toBe(1);
      // The time for all of it may be over before that for the text.
      await expect
        .poll(() => logged.map(({ message }) => message))
        .toEqual(['the directory of souls gave no answer that can be used']);

      now += 5 * 60_000 - 1;
      expect(await directory.soulFor('Poet')).toEqual({ kind: 'away' });
      expect(web.count(path)).toBe(1);
      web.list(SOULS);
      now += 2;
      expect(await directory.soulFor('Poet')).toMatchObject({ kind: 'soul' });
    },
  );

  test('for a text still lists what it had listed', async () => {
    web.list(SOULS);
    web.set(POET, status(503));
    const directory = open();
    expect(await directory.soulFor('Poet')).toEqual({ kind: 'away' });
    expect(await directory.souls()).toHaveLength(2);
    expect(await directory.soulFor('Code reviewer')).toEqual({ kind: 'away' });
  });

  test('lists nothing', async () => {
    web.set(SITEMAP, hangUp);
    expect(await open().souls()).toBeNull();
    expect(await open(`http://127.0.0.1:${await freePort()}`).souls()).toBeNull();
    expect(logged.at(-1)?.fields).toMatchObject({ reason: 'ECONNREFUSED' });
  });

  test('keeps nobody waiting when it is stopped', async () => {
    web.set(SITEMAP, silent);
    const directory = open(web.url, { timeoutMs: 60_000 });
    const found = directory.soulFor('Poet');
    directory.stop();
    expect(await found).toEqual({ kind: 'away' });
  });

  test('keeps nobody waiting who gives up, and answers the others', async () => {
    web.list(SOULS);
    let answerNow = () => {};
    web.set(POET, (request, response) => {
      answerNow = () => text('Late.')(request, response);
    });
    const directory = open(web.url, { timeoutMs: 60_000 });
    const [patient, giving] = [new AbortController(), new AbortController()];
    const found = [directory.soulFor('Poet', patient.signal), directory.soulFor('Poet', giving.signal)];
    await expect.poll(() => web.count(POET)).toBe(1);
    giving.abort();
    expect(await found[1]).toEqual({ kind: 'away' });
    answerNow();
    expect(await found[0]).toMatchObject({ soul: { text: 'Late.' } });
  });
});
