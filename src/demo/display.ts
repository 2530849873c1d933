import type { WriteStream } from 'node:tty';
import type { AgentEvent, FleetView } from './fleet-view.ts';
import { eventLine, frame, overview } from './table.ts';

/** Where the demo shows itself. */
export interface Display {
  /** Shows this above everything else. */
  introduce(text: string): void;
  happened(event: AgentEvent): void;
  /** Shows the agents as they stand; on a terminal that is done all the time. */
  summarize(): void;
  /** No more changes; what is shown stays. */
  finish(): void;
}

const FRAMES_PER_SECOND = 8;
/** Terminals that know it show what is between the two at once; the others ignore it. */
const BEGIN_UPDATE = '\x1b[?2026h';
const END_UPDATE = '\x1b[?2026l';
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const CLEAR_REST_OF_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';
const CLEAR_ALL = '\x1b[H\x1b[2J';

/** A table that changes in place. Only lines that differ are written, so nothing flickers and text can be selected. */
export class LiveTable implements Display {
  readonly #view: FleetView;
  readonly #terminal: WriteStream;
  #introduction = '';
  /** What is on the terminal below the introduction; the cursor is in the line after it. */
  #shown: string[] = [];
  #ticking: NodeJS.Timeout | null = null;
  readonly #onResize = () => {
    // Lines may have been broken anew: nothing is where it was.
    this.#terminal.write(CLEAR_ALL);
    this.#begin();
  };
  readonly #onExit = () => this.#terminal.write(SHOW_CURSOR);

  constructor(view: FleetView, terminal: WriteStream) {
    this.#view = view;
    this.#terminal = terminal;
  }

  introduce(text: string): void {
    this.#introduction = text;
    this.#begin();
    this.#ticking = setInterval(() => this.#draw(), 1000 / FRAMES_PER_SECOND);
    this.#terminal.on('resize', this.#onResize);
    process.on('exit', this.#onExit);
  }

  happened(): void {}

  summarize(): void {}

  finish(): void {
    if (!this.#ticking) return;
    clearInterval(this.#ticking);
    this.#ticking = null;
    this.#draw();
    this.#terminal.off('resize', this.#onResize);
    process.off('exit', this.#onExit);
    this.#terminal.write(`${SHOW_CURSOR}\n`);
  }

  #begin(): void {
    this.#shown = [];
    this.#terminal.write(`${HIDE_CURSOR}${this.#introduction}\n`);
    this.#draw();
  }

  #draw(): void {
    const { columns, rows } = this.#terminal;
    const look = { now: new Date(), columns: Math.max(20, columns), colours: this.#terminal.hasColors() };
    const introduction = this.#introduction.split('\n').length;
    // The last line of the terminal stays free for the cursor.
    const room = Math.max(6, rows - introduction - 1);
    const lines = frame(this.#view, look, Math.min(room, rows - 1));
    const changed = lines.map((line, index) => (line === this.#shown[index] ? '' : `${line}${CLEAR_REST_OF_LINE}`));
    const up = this.#shown.length > 0 ? `\x1b[${this.#shown.length}A` : '';
    const update = `${up}\r${changed.map((line) => `${line}\r\n`).join('')}${CLEAR_BELOW}`;
    this.#shown = lines;
    this.#terminal.write(`${BEGIN_UPDATE}${update}${END_UPDATE}`);
  }
}

/** One line per event, for files and pipes. */
export class PlainLines implements Display {
  readonly #view: FleetView;
  readonly #out: NodeJS.WritableStream;

  constructor(view: FleetView, out: NodeJS.WritableStream) {
    this.#view = view;
    this.#out = out;
  }

  introduce(text: string): void {
    this.#out.write(`${text}\n`);
  }

  happened(event: AgentEvent): void {
    this.#out.write(`${eventLine(this.#view, event)}\n`);
  }

  summarize(): void {
    const lines = overview(this.#view, { now: new Date(), columns: 80, colours: false });
    this.#out.write(`\n${lines.join('\n')}\n\n`);
  }

  finish(): void {
    this.summarize();
  }
}
