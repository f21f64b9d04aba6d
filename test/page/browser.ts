import { source as axeSource, type AxeResults } from 'axe-core';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

/** Nothing that a browser does by itself reaches beyond the page under test. */
const quietly = [
  ...['--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update'],
  ...['--disable-sync', '--disable-gpu', '--no-sandbox', '--disable-lcd-text'],
];

/** Chromium, which `npm test` names by CHROMIUM. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: quietly });
}

export const narrow = { width: 360, height: 740 };
export const wide = { width: 1440, height: 900 };

export interface VisitOptions extends BrowserContextOptions {
  /** What is expected to go wrong, and is no fault of the page: errors in the console that have this in them. */
  bears?: RegExp;
}

/** A page that somebody has open. `leave` fails where it has asked another server for anything, or complained. */
export interface Visit {
  page: Page;
  go: (hash: string) => Promise<void>;
  leave: () => Promise<void>;
}

export async function visit(browser: Browser, url: string, { bears, ...options }: VisitOptions = {}): Promise<Visit> {
  const context = await browser.newContext({ viewport: wide, reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' && !bears?.test(message.text())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) complaints.push(`asked for ${request.url()}`);
  });
  return {
    page,
    go: async (hash) => {
      await page.goto(`${url}/${hash}`);
    },
    leave: async () => {
      await context.close();
      expect(complaints).toEqual([]);
    },
  };
}

/** What axe finds, of any weight, by WCAG 2.2 AA and its best practices. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate<AxeResults>('axe.run(document, { resultTypes: ["violations"] })');
  return violations.flatMap(({ id, impact, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${impact ?? ''} ${id}: ${html} ${failureSummary ?? ''}`),
  );
}

/** How far the page reaches beyond the window, in pixels. */
export function sidewaysPixels(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');
}
