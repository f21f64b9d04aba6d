import type { Browser, Page } from 'playwright-core';

import { startApi, type ApiUnderTest } from '../api/api-under-test';
import { waitUntil } from '../support/wait-until';
import { accessibilityProblems, narrow, openBrowser, sidewaysPixels, visit, wide } from './browser';
import { fillDay } from './day-of-calls';

let busy: ApiUnderTest;
let empty: ApiUnderTest;
let locked: ApiUnderTest;
let browser: Browser;
let waitingId: string;

beforeAll(async () => {
  [busy, empty, locked, browser] = await Promise.all([
    startApi(),
    startApi(),
    startApi({ env: { API_KEYS: 'required' } }),
    openBrowser(),
  ]);
  await fillDay(busy.db, { held: 30, waiting: 1_000, ended: 3_000 });
  waitingId = (await busy.acceptCall({ metadata: { customer: 'Noura' }, scriptId: 'aScriptWithALongNameOfItsOwn' })).id;
}, 120_000);
afterAll(async () => {
  await browser.close();
  await Promise.all([busy, empty, locked].map((api) => api.close()));
});

interface View {
  of: () => ApiUnderTest;
  hash: () => string;
  /** Seen once it is all there. */
  sign: (page: Page) => Promise<void>;
}

const text = (words: string | RegExp) => (page: Page) => page.getByText(words).first().waitFor();
const press = (name: string) => async (page: Page) => {
  await page.getByRole('button', { name }).click();
  await page.getByRole('dialog').waitFor();
};
const ofWaiting = () => `#/calls/${waitingId}`;

const views: Record<string, View> = {
  'the live view': { of: () => busy, hash: () => '#/', sign: text('50 of 1,001 shown.') },
  'the live view with nothing in it': { of: () => empty, hash: () => '#/', sign: text('Nobody waits.') },
  'the calls': { of: () => busy, hash: () => '#/calls', sign: text('4,031 calls') },
  'no calls': { of: () => empty, hash: () => '#/calls', sign: text('There is no such call.') },
  'a call': { of: () => busy, hash: ofWaiting, sign: text('Outgoing events') },
  'canceling a call': { of: () => busy, hash: ofWaiting, sign: press('Cancel call') },
  'editing a call': { of: () => busy, hash: ofWaiting, sign: press('Edit') },
  'the statistics': { of: () => busy, hash: () => '#/statistics', sign: text('Why calls failed') },
  'no statistics': { of: () => empty, hash: () => '#/statistics?range=week', sign: text(/No call has ended/) },
  'adding calls': { of: () => busy, hash: () => '#/add', sign: text('Drop a file here') },
  'nothing there': { of: () => busy, hash: () => '#/elsewhere', sign: text('There is nothing here') },
  'asking for a key': { of: () => locked, hash: () => '#/', sign: text('API key') },
};

describe.each(Object.entries(views))('%s', (_, { of, hash, sign }) => {
  test.each(['light', 'dark'] as const)('in %s has nothing that axe finds', async (colorScheme) => {
    const { page, go, leave } = await visit(browser, of().url, { colorScheme, bears: /status of 401/ });
    await go(hash());
    await sign(page);
    expect(await accessibilityProblems(page)).toEqual([]);
    await leave();
  });

  test('fits a window of 360 px, and a wide one', async () => {
    for (const viewport of [narrow, wide]) {
      const { page, go, leave } = await visit(browser, of().url, { viewport, bears: /status of 401/ });
      await go(hash());
      await sign(page);
      expect([viewport.width, await sidewaysPixels(page)]).toEqual([viewport.width, 0]);
      await leave();
    }
  });
});

test('what there is too much of comes piece by piece: calls, and the queue', async () => {
  const { page, go, leave } = await visit(browser, busy.url);
  const rows = page.locator('tbody tr');
  for (const hash of ['#/calls', '#/']) {
    await go(hash);
    await waitUntil('the first are there', async () => (await rows.count()) === 50);
    for (const shown of [100, 150, 200, 250]) {
      await page.getByRole('button', { name: 'Show more' }).click();
      await waitUntil('more are there', async () => (await rows.count()) === shown);
    }
  }
  await leave();
});

test('every view is reached from every other, and says by its title and by the focus where one is', async () => {
  const { page, go, leave } = await visit(browser, busy.url);
  await go('#/');
  for (const [link, title] of [
    ['Calls', 'Calls · Calls'],
    ['Statistics', 'Statistics · Calls'],
    ['Add', 'Add calls · Calls'],
    ['Live', 'Live · Calls'],
  ] as const) {
    await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: link }).click();
    await waitUntil(title, async () => (await page.title()) === title);
    expect(await page.evaluate<string>('document.activeElement.id')).toBe('main');
    expect(await page.locator('header [aria-current=page]').textContent()).toBe(link);
  }
  await leave();
});

test('colours follow the system until one chooses, and stay chosen', async () => {
  const { page, go, leave } = await visit(browser, busy.url, { colorScheme: 'dark' });
  await go('#/');
  const ground = () => page.evaluate<string>('getComputedStyle(document.documentElement).backgroundColor');
  const dark = await ground();
  await page.getByRole('button', { name: 'Colours: as the system' }).click();
  const light = await ground();
  expect(light).not.toBe(dark);
  await page.reload();
  expect(await ground()).toBe(light);
  await page.getByRole('button', { name: 'Colours: light' }).click();
  expect(await ground()).toBe(dark);
  await leave();
});

test('what these tests would find is found: a button without a name, a page that is too wide', async () => {
  const { page, go, leave } = await visit(browser, empty.url, { viewport: narrow });
  await go('#/');
  await page.getByText('Nobody waits.').waitFor();
  await page.evaluate(
    "document.querySelector('main').append(document.createElement('button')); document.body.style.minWidth = '400px'",
  );
  expect(await accessibilityProblems(page)).toEqual([expect.stringMatching(/^critical button-name/)]);
  expect(await sidewaysPixels(page)).toBe(40);
  await leave();
});
