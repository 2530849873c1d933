import type { GatewayLog } from '../../gateway/log.ts';
import { download, type Fetch, UnusableAnswer } from './download.ts';
import { matchSoul, type SoulRef } from './matching.ts';
import { soulsIn } from './sitemap.ts';
import { type RoleSoul, SOUL_LIMIT, soulTextOf, UnusableSoul } from './text.ts';

export interface SoulTimes {
  /** How long one request may take in all, and how long anybody waits for the directory. */
  timeoutMs: number;
  /** How long its list and its texts are kept. */
  keepMs: number;
  /** How long it is left alone after it could not be reached. */
  awayMs: number;
}

const SOUL_TIMES: SoulTimes = { timeoutMs: 10_000, keepMs: 60 * 60_000, awayMs: 5 * 60_000 };

export interface SoulDirectoryOptions {
  /** Of the directory, without a slash at its end. */
  url: string;
  fetch: Fetch;
  /** Milliseconds that only go forward. */
  now: () => number;
  log: GatewayLog;
  times?: Partial<SoulTimes>;
}

/** What the directory has for a role. */
export type FoundSoul =
  | { kind: 'soul'; soul: RoleSoul }
  /** It has none, or one that is not put into a document; the reason is a sentence. */
  | { kind: 'none'; reason: string }
  /** It could not be asked. */
  | { kind: 'away' };

/** 4,600 souls make a sitemap of some 900,000 bytes. */
const SITEMAP_BYTES = 8_000_000;
/** A character of UTF-8 has up to four bytes. */
const TEXT_BYTES = SOUL_LIMIT * 4;
/** Answers that are kept: the list, and the texts that were asked for last. */
const MOST_KEPT = 100;

/** An answer by its path, or one that is on its way. */
interface Kept {
  until: number;
  answer: Promise<unknown>;
}

const AWAY: FoundSoul = { kind: 'away' };

/**
 * A directory of souls like souls.directory: /sitemap.xml lists the pages /souls/HANDLE/SLUG, and the text of one is at
 * /api/souls/HANDLE/SLUG.md. It is asked for these alone; roles are compared here. Whoever asks for the same at the same
 * time shares one request, and when the directory is away nobody asks for a while.
 */
export class SoulDirectory {
  readonly #options: SoulDirectoryOptions;
  readonly #times: SoulTimes;
  readonly #stopping = new AbortController();
  readonly #kept = new Map<string, Kept>();
  #awayUntil = Number.NEGATIVE_INFINITY;

  constructor(options: SoulDirectoryOptions) {
    this.#options = options;
    this.#times = { ...SOUL_TIMES, ...options.times };
  }

  /** What it lists; null when it cannot be reached. */
  async souls(): Promise<readonly SoulRef[] | null> {
    return this.#withPatience<readonly SoulRef[] | null>(this.#list(), null);
  }

  /**
   * The soul that fits a role best.
   * @param signal whoever asks waits no longer when it aborts
   */
  async soulFor(role: string, signal?: AbortSignal): Promise<FoundSoul> {
    return this.#withPatience(this.#find(role), AWAY, signal);
  }

  pageUrl({ handle, slug }: SoulRef): string {
    return `${this.#options.url}/souls/${handle}/${slug}`;
  }

  /** Breaks off what is under way. */
  stop(): void {
    this.#stopping.abort();
  }

  async #find(role: string): Promise<FoundSoul> {
    const souls = await this.#list();
    if (souls === null) return AWAY;
    const match = matchSoul(role, souls);
    if (match === null) return { kind: 'none', reason: 'The directory of souls has none for its role.' };
    const url = this.pageUrl(match);
    try {
      const text = await this.#text(match);
      return text === null ? AWAY : { kind: 'soul', soul: { url, text } };
    } catch (error) {
      if (!(error instanceof UnusableAnswer || error instanceof UnusableSoul)) throw error;
      return { kind: 'none', reason: `The soul ${url} is not used: it ${error.message}.` };
    }
  }

  #list(): Promise<readonly SoulRef[] | null> {
    return this.#keep('/sitemap.xml', SITEMAP_BYTES, soulsIn, () => true);
  }

  /** @throws UnusableAnswer, UnusableSoul */
  #text({ handle, slug }: SoulRef): Promise<string | null> {
    const isUnusable = (error: unknown) => error instanceof UnusableAnswer || error instanceof UnusableSoul;
    return this.#keep(`/api/souls/${handle}/${slug}.md`, TEXT_BYTES, soulTextOf, (error) => !isUnusable(error));
  }

  /**
   * The answer to a path, as `read` makes it of the text; null when the directory is away.
   * @param meansAway whether a failure says that the directory cannot be used now; another one is an answer, and is thrown
   */
  async #keep<T>(
    path: string,
    maxBytes: number,
    read: (text: string) => T,
    meansAway: (error: unknown) => boolean,
  ): Promise<T | null> {
    const { url, fetch, now, log } = this.#options;
    const known = this.#kept.get(path);
    // What is kept under a path was made by the same function.
    if (known && now() < known.until) return known.answer as Promise<T | null>;
    if (now() < this.#awayUntil) return null;
    const load = async (): Promise<T | null> => {
      try {
        const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(this.#times.timeoutMs)]);
        return read(await download(fetch, url + path, maxBytes, signal));
      } catch (error) {
        if (this.#stopping.signal.aborted) return null;
        log.warn(
          { url: url + path, reason: reasonOf(error) },
          'the directory of souls gave no answer that can be used',
        );
        if (!meansAway(error)) throw error;
        this.#leaveAlone();
        this.#kept.delete(path);
        return null;
      } finally {
        entry.until = now() + this.#times.keepMs;
      }
    };
    const entry: Kept = { until: Number.POSITIVE_INFINITY, answer: Promise.resolve(null) };
    this.#kept.delete(path);
    this.#kept.set(path, entry);
    const answer = load();
    entry.answer = answer;
    this.#forgetOldest();
    return answer;
  }

  #leaveAlone(): void {
    this.#awayUntil = this.#options.now() + this.#times.awayMs;
  }

  #forgetOldest(): void {
    for (const path of this.#kept.keys()) {
      if (this.#kept.size <= MOST_KEPT) return;
      if (path !== '/sitemap.xml') this.#kept.delete(path);
    }
  }

  /** What is late comes all the same, for those who ask later. */
  async #withPatience<T>(answer: Promise<T>, late: T, signal = this.#stopping.signal): Promise<T> {
    const patience = Promise.withResolvers<T>();
    const giveUp = () => patience.resolve(late);
    const timer = setTimeout(() => {
      this.#leaveAlone();
      giveUp();
    }, this.#times.timeoutMs);
    const ends = AbortSignal.any([signal, this.#stopping.signal]);
    ends.addEventListener('abort', giveUp);
    if (ends.aborted) giveUp();
    try {
      return await Promise.race([answer, patience.promise]);
    } finally {
      clearTimeout(timer);
      ends.removeEventListener('abort', giveUp);
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
