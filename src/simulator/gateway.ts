import { randomUUID } from 'node:crypto';
import { Agents } from './agents.ts';
import { Config } from './config.ts';
import { Cron } from './cron.ts';
import { Devices } from './devices.ts';
import { Heartbeats } from './heartbeats.ts';
import type { Report } from './life.ts';
import type { Settings } from './options.ts';
import { Runs } from './runs.ts';
import { Sessions } from './sessions.ts';
import type { Dict } from './wire.ts';

/** Who gets an event: all operators, or those who subscribed to sessions, or those who may approve devices. */
export type Audience = 'operators' | 'session-subscribers' | 'admins';

/** The state of one gateway, which outlives its restarts, and the parts that work on it. */
export class Gateway {
  readonly settings: Settings;
  readonly stateDir: string;
  readonly startedAt = Date.now();
  /** New at every start. */
  bootId: string = randomUUID();
  /** Delivers an event to the connections; set by the server. */
  broadcast: (event: string, payload: Dict, audience?: Audience) => void = () => {};
  /** Restarts the gateway within its process; set by the simulator. */
  restartItself: () => void = () => {};
  /** Whether a device is connected; set by the server. */
  isConnected: (deviceId: string) => boolean = () => false;
  /** Closes the connections of a device; set by the server. */
  dismiss: (deviceId: string) => void = () => {};

  /** What the living agents did, oldest first. */
  readonly reports: Report[] = [];

  readonly config: Config;
  readonly agents: Agents;
  readonly sessions: Sessions;
  readonly runs: Runs;
  readonly cron: Cron;
  readonly heartbeats: Heartbeats;
  readonly devices: Devices;

  constructor(settings: Settings, stateDir: string, initialConfig: Dict) {
    this.settings = settings;
    this.stateDir = stateDir;
    this.config = new Config(this, initialConfig);
    this.agents = new Agents(this);
    this.sessions = new Sessions(this);
    this.runs = new Runs(this);
    this.cron = new Cron(this);
    this.heartbeats = new Heartbeats(this);
    this.devices = new Devices(this);
    this.cron.followConfig();
  }
}
