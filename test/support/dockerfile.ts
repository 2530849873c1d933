import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, cpSync, globSync, mkdirSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';

interface Instruction {
  name: string;
  text: string;
}

interface Stage {
  /** The base image. */
  from: string;
  /** Empty for the last one, which is the image. */
  name: string;
  instructions: Instruction[];
}

/** What the image says about how it is run. */
export interface Image {
  /** Its root folder. */
  root: string;
  workdir: string;
  env: Record<string, string>;
  user: string;
  volumes: string[];
  healthcheck: string[];
  command: string[];
}

/** The stages of a Dockerfile. */
export function readDockerfile(text: string): Stage[] {
  const stages: Stage[] = [];
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n');
  for (const line of lines) {
    const [, name = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
    if (name === 'FROM') {
      const [from = '', , stage = ''] = rest.split(' ');
      stages.push({ from, name: stage, instructions: [] });
    } else {
      stages.at(-1)?.instructions.push({ name, text: rest });
    }
  }
  return stages;
}

/** Where in the stage's folder a path of the image is. */
export function pathIn(root: string, workdir: string, imagePath: string): string {
  return path.join(root, path.posix.resolve(workdir, imagePath));
}

/** The files of a context that .dockerignore leaves, as paths in it. Each line counts against those before it. */
export function filesOf(context: string, dockerignore: string): string[] {
  const rules = dockerignore.split('\n').filter((line) => !/^\s*(#|$)/.test(line));
  const wanted = rules.filter((rule) => rule.startsWith('!')).map((rule) => rule.slice(1));
  const refused = rules.filter((rule) => !rule.startsWith('!') && rule !== '*');
  if (rules[0] !== '*') throw new Error('.dockerignore has to begin with *, so that nothing gets in by oversight.');
  const isUnder = (file: string) => (folder: string) => file === folder || file.startsWith(`${folder}/`);
  return globSync(
    wanted.flatMap((each) => [each, `${each}/**`]),
    { cwd: context },
  ).filter((file) => statSync(path.join(context, file)).isFile() && !refused.some(isUnder(file)));
}

/**
 * Does in folders what an image's build does in containers: the commands are the Dockerfile's own, run by this system's shell
 * and programs, with this process's Node.js. A path that begins with a slash is one of the stage's folder.
 * @param files of the context
 * @returns the last stage
 * @throws Error for an instruction that it does not know, and for a command that fails, with what it has printed
 */
export async function buildImage(stages: Stage[], context: string, files: string[], folder: string): Promise<Image> {
  const built = new Map<string, Image>();
  let image: Image | undefined;
  for (const { name, instructions } of stages) {
    const root = path.join(folder, name || 'image');
    image = { root, workdir: '/', env: {}, user: '0:0', volumes: [], healthcheck: [], command: [] };
    const bin = path.join(root, 'usr', 'local', 'bin');
    mkdirSync(bin, { recursive: true });
    copyFileSync(process.execPath, path.join(bin, 'node'));
    for (const instruction of instructions) await carryOut(instruction, image, { context, files, built });
    built.set(name, image);
  }
  return image ?? missing('a stage');
}

interface Sources {
  context: string;
  files: string[];
  built: ReadonlyMap<string, Image>;
}

async function carryOut({ name, text }: Instruction, image: Image, sources: Sources): Promise<void> {
  switch (name) {
    case 'WORKDIR':
      image.workdir = text;
      mkdirSync(pathIn(image.root, '/', text), { recursive: true });
      return;
    case 'ENV':
      for (const [, key = '', value = ''] of text.matchAll(/(\w+)=(\S+)/g)) image.env[key] = value;
      return;
    case 'COPY':
      return copy(text, image, sources);
    case 'RUN':
      return run(text, image);
    case 'USER':
      image.user = text;
      return;
    case 'VOLUME':
      image.volumes.push(text);
      return;
    case 'EXPOSE':
      return;
    case 'HEALTHCHECK':
      image.healthcheck = JSON.parse(text.replace(/^.*?CMD /, '')) as string[];
      return;
    case 'CMD':
      image.command = JSON.parse(text) as string[];
      return;
    default:
      throw new Error(`Dockerfile: ${name} is not known.`);
  }
}

function copy(text: string, { root, workdir }: Image, { context, files, built }: Sources): void {
  const [, stage, paths = ''] = /^(?:--from=(\S+) )?(.*)$/.exec(text) ?? [];
  const words = paths.split(' ');
  const target = words.pop() ?? '';
  for (const source of words) {
    if (stage !== undefined) {
      // Nobody needs it there any more.
      const from = built.get(stage)?.root ?? missing(`the stage ${stage}`);
      const to = pathIn(root, workdir, target);
      mkdirSync(path.dirname(to), { recursive: true });
      renameSync(path.join(from, source), to);
      continue;
    }
    const copied = files.filter((file) => file === source || file.startsWith(`${source}/`));
    if (copied.length === 0) throw new Error(`Dockerfile: .dockerignore leaves nothing of ${source}.`);
    for (const file of copied) {
      const to =
        file === source ? path.join(target, path.basename(file)) : path.join(target, path.relative(source, file));
      cpSync(path.join(context, file), pathIn(root, workdir, to));
    }
  }
}

async function run(command: string, { root, workdir, env }: Image): Promise<void> {
  const shell = spawn('sh', ['-ec', command.replaceAll(/(?<= )\//g, `${root}/`)], {
    cwd: pathIn(root, '/', workdir),
    // What is installed in the checkout was downloaded before.
    env: {
      ...process.env,
      ...env,
      npm_config_prefer_offline: 'true',
      PATH: `${root}/usr/local/bin:${process.env.PATH}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [shell.stdout, shell.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const [code] = await once(shell, 'close');
  if (code !== 0) throw new Error(`RUN ${command} has failed: ${output}`);
}

function missing(what: string): never {
  throw new Error(`Dockerfile: ${what} is missing.`);
}
