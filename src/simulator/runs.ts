import { dropBootstrap } from './files.ts';
import type { Gateway } from './gateway.ts';
import { live } from './life.ts';
import { Serial } from './limits.ts';
import type { Session } from './sessions.ts';
import type { Dict } from './wire.ts';

export interface Run {
  id: string;
  sessionKey: string;
  agentId: string;
  message: string;
  /** A message of an operator shows as `chat` and `agent` events; a heartbeat does not. */
  kind: 'chat' | 'heartbeat';
  status: 'running' | 'ok' | 'error' | 'aborted';
  startedAt: number;
  endedAt: number | undefined;
  text: string | undefined;
  error: string | undefined;
  stopReason: string | undefined;
  abort: AbortController;
  ended: Promise<void>;
}

const NO_MODEL = 'No route-compatible authentication source is configured for openai.';
const DRAINING = 'GatewayDrainingError: Gateway is draining; new tasks are not accepted';

/** The turns of agents, one after the other in each session, with the events of each in the order measured. */
export class Runs {
  readonly #gateway: Gateway;
  readonly #runs = new Map<string, Run>();
  readonly #lanes = new Map<string, Serial>();
  #underWay = 0;
  /** Begins the next turn, of those that wait for one of other agents to end. */
  readonly #waiting: (() => void)[] = [];

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  find(id: string): Run | undefined {
    return this.#runs.get(id);
  }

  all(): Run[] {
    return [...this.#runs.values()];
  }

  start(id: string, session: Session, message: string, kind: Run['kind']): Run {
    const lane = this.#lanes.get(session.key) ?? new Serial();
    this.#lanes.set(session.key, lane);
    const run: Run = {
      id,
      sessionKey: session.key,
      agentId: session.agentId,
      message,
      kind,
      status: 'running',
      startedAt: Date.now(),
      endedAt: undefined,
      text: undefined,
      error: undefined,
      stopReason: undefined,
      abort: new AbortController(),
      ended: Promise.resolve(),
    };
    const turn = () => (kind === 'chat' ? this.#chatTurn(run, session) : this.#beatTurn(run, session));
    run.ended = lane.run(() => this.#inItsTurn(session, turn));
    this.#runs.set(id, run);
    return run;
  }

  async #inItsTurn(session: Session, turn: () => Promise<void>): Promise<void> {
    if (this.#underWay < this.#gateway.settings.concurrentRuns) this.#underWay++;
    else {
      session.status = 'queued';
      await new Promise<void>((begin) => this.#waiting.push(begin));
      session.status = undefined;
    }
    try {
      await turn();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#underWay--;
    }
  }

  /** Ends the running turns of a session; the reason is `rpc` (chat.abort) or `restart` (reset). */
  abortSession(sessionKey: string, stopReason: string, runId?: string): string[] {
    const running = this.all().filter(
      (run) => run.status === 'running' && run.sessionKey === sessionKey && (runId === undefined || run.id === runId),
    );
    for (const run of running) this.#abort(run, stopReason);
    return running.map((run) => run.id);
  }

  /** At a restart running turns end with an error and are forgotten, so that they can be asked for again. */
  drain(): void {
    for (const run of this.all().filter((each) => each.status === 'running')) {
      this.#abort(run, 'restart');
      run.status = 'error';
      run.error = DRAINING;
      this.#runs.delete(run.id);
    }
  }

  #abort(run: Run, stopReason: string): void {
    run.status = 'aborted';
    run.stopReason = stopReason;
    run.endedAt = Date.now();
    run.abort.abort();
    if (run.kind === 'chat') {
      this.#gateway.broadcast('chat', { ...about(run), state: 'aborted', stopReason });
    }
  }

  async #chatTurn(run: Run, session: Session): Promise<void> {
    if (run.status !== 'running') return;
    const { sessions, agents, settings } = this.#gateway;
    let seq = 0;
    const agent = (stream: string, data: Dict) => {
      seq += 1;
      const payload = { ...about(run), stream, data, sessionId: session.sessionId, seq, ts: Date.now() };
      this.#gateway.broadcast('agent', { ...payload, isHeartbeat: false });
    };
    const chat = (state: Dict) => this.#gateway.broadcast('chat', { ...about(run), seq, ...state });
    const preparing = (phase: string) => {
      agent('run_status', { phase });
      chat({ state: 'status', phase });
    };

    const fail = (problem: string) => {
      agent('lifecycle', { phase: 'fallback_step', fallbackStepFromFailureReason: 'auth' });
      agent('lifecycle', { phase: 'error', error: problem, endedAt: Date.now() });
      chat({ state: 'error', errorMessage: problem });
      this.#settle(run, session, 'error', `⚠️ Agent failed before reply: ${problem}`);
      chat({ state: 'error', errorMessage: run.error });
      sessions.changed(session, { phase: 'error', runId: run.id });
    };

    sessions.say(session, { role: 'user', content: run.message, timestamp: Date.now() });
    preparing('preparing_workspace');
    if (!settings.modelConfigured) return fail(NO_MODEL);
    preparing('preparing_context');
    dropBootstrap(agents.workspace(run.agentId));
    this.#begin(run, session);
    agent('lifecycle', { phase: 'start', startedAt: run.startedAt });
    preparing('starting_model');
    sessions.changed(session, { reason: 'agent.run.started' });
    sessions.changed(session, { phase: 'start', runId: run.id });

    let text: string;
    try {
      text = await this.#think(run);
    } catch (error) {
      return fail(messageOf(error));
    }
    if (run.status !== 'running') {
      agent('lifecycle', { phase: 'end', status: 'cancelled', aborted: true, stopReason: run.stopReason });
      this.#settle(run, session, run.status, run.error);
      sessions.changed(session, { phase: 'end', runId: run.id });
      return;
    }
    agent('lifecycle', { phase: 'model', provider: 'simulated', model: 'simulated-1' });
    agent('assistant', { text, delta: text });
    chat({ state: 'delta', deltaText: text, message: spoken(text) });
    agent('usage', { outputTokens: 2 });
    sessions.say(session, spoken(text));
    agent('lifecycle', { phase: 'finishing', stopReason: 'stop', aborted: false, endedAt: Date.now() });
    run.text = text;
    this.#settle(run, session, 'ok');
    const terminalReply = { disposition: 'visible', text };
    agent('lifecycle', { phase: 'end', stopReason: 'stop', aborted: false, endedAt: run.endedAt, terminalReply });
    chat({ state: 'final', stopReason: 'stop', message: spoken(text) });
    sessions.changed(session, { phase: 'model', runId: run.id });
    sessions.changed(session, { phase: 'end', runId: run.id });
    sessions.changed(session, { reason: 'agent.input.settled' });
  }

  async #beatTurn(run: Run, session: Session): Promise<void> {
    if (run.status !== 'running') return;
    const { sessions, agents, settings } = this.#gateway;
    dropBootstrap(agents.workspace(run.agentId));
    this.#begin(run, session);
    sessions.changed(session, { phase: 'message' });
    const thought = settings.modelConfigured
      ? await this.#think(run).then(
          (text) => ({ text, problem: undefined }),
          (error: unknown) => ({ text: undefined, problem: messageOf(error) }),
        )
      : { text: undefined, problem: NO_MODEL };
    if (run.status !== 'running') {
      this.#settle(run, session, run.status, run.error);
      return;
    }
    run.text = thought.text;
    if (thought.text !== undefined) sessions.say(session, spoken(thought.text));
    sessions.changed(session, { phase: 'start', runId: run.id });
    this.#settle(run, session, thought.problem === undefined ? 'ok' : 'error', thought.problem);
    sessions.changed(session, { phase: thought.problem === undefined ? 'end' : 'error', runId: run.id });
  }

  /** The model's part. It ends early, with an empty text, when the run is aborted. @throws what `reply` throws */
  async #think(run: Run): Promise<string> {
    const { settings } = this.#gateway;
    const { signal } = run.abort;
    const aborted = new Promise<string>((resolve) => {
      if (signal.aborted) resolve('');
      signal.addEventListener('abort', () => resolve(''), { once: true });
    });
    const thought = async () => {
      await new Promise((resolve) => setTimeout(resolve, settings.delays.model));
      if (signal.aborted) return '';
      return settings.live ? live(this.#gateway, run.agentId, signal) : settings.reply(run.message, run.agentId);
    };
    return Promise.race([thought(), aborted]);
  }

  #begin(run: Run, session: Session): void {
    run.startedAt = Date.now();
    session.status = 'running';
    session.startedAt = run.startedAt;
    session.lastRunError = undefined;
    session.updatedAt = run.startedAt;
  }

  #settle(run: Run, session: Session, status: Run['status'], error?: string): void {
    run.status = status;
    run.error = error;
    run.endedAt ??= Date.now();
    session.status = { running: 'running', ok: 'done', error: 'failed', aborted: 'killed' }[
      status
    ] as Session['status'];
    session.endedAt = run.endedAt;
    session.updatedAt = run.endedAt;
    session.lastRunId = run.id;
    session.lastRunError = error;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function about(run: Run): Dict {
  return { runId: run.id, sessionKey: run.sessionKey, agentId: run.agentId };
}

function spoken(text: string): Dict {
  return { role: 'assistant', content: [{ type: 'text', text }], timestamp: Date.now() };
}
