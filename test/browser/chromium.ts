import { existsSync } from 'node:fs';
import { access, constants, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

const ARGUMENTS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * A headless Chromium with a profile of its own, which goes with it.
 * @throws when there is none, with what to do
 */
export async function launchChromium(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM_PATH || '/usr/bin/chromium';
  await access(executablePath, constants.X_OK).catch(() => {
    throw new Error(
      `There is no Chromium at ${executablePath}. Install one (Debian: apt-get install chromium), or set CHROMIUM_PATH.`,
    );
  });
  return chromium.launch({ executablePath, args: ARGUMENTS });
}

/** What went wrong on the pages, growing: errors on the console, exceptions, requests to any other server. */
export function watch(context: BrowserContext, ...ownUrls: string[]): string[] {
  const problems: string[] = [];
  const ownHosts = ownUrls.map((url) => new URL(url).host);
  const check = (url: string): void => {
    if (leavesThePage(url) && !ownHosts.includes(new URL(url).host)) problems.push(`a request to ${url}`);
  };
  context.on('request', (request) => check(request.url()));
  context.on('requestfailed', (request) => {
    const url = request.url();
    if (leavesThePage(url)) problems.push(`${url} failed: ${request.failure()?.errorText}`);
  });
  context.on('console', (message) => {
    if (message.type() === 'error') problems.push(`on the console: ${message.text()}`);
  });
  context.on('weberror', (error) => problems.push(`an exception: ${error.error().stack}`));
  context.on('page', (page) => page.on('websocket', (socket) => check(socket.url())));
  return problems;
}

function leavesThePage(url: string): boolean {
  return !/^(data|blob):/.test(url);
}

const DOCS_IMAGES = fileURLToPath(new URL('../../docs/images/', import.meta.url));

/**
 * Takes a picture of what is to be seen. It goes to SCREENSHOTS_DIR; where the documentation shows it, UPDATE_IMAGES=on
 * makes that one anew.
 */
export async function shoot(page: Page, name: string): Promise<void> {
  const { SCREENSHOTS_DIR: folder, UPDATE_IMAGES } = process.env;
  const image = await page.screenshot({ animations: 'disabled' });
  if (folder) {
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, `${name}.png`), image);
  }
  const shown = path.join(DOCS_IMAGES, `${name}.png`);
  if (UPDATE_IMAGES === 'on' && existsSync(shown)) await writeFile(shown, image);
}
