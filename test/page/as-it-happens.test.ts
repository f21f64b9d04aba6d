import type { Browser } from 'playwright-core';

import { Stage } from '../faults/stage';
import { waitUntil } from '../support/wait-until';
import { accessibilityProblems, openBrowser, visit, type Visit } from './browser';

const limit = 4;

let stage: Stage;
let browser: Browser;
let open: Visit;

beforeAll(async () => {
  const settings = { MAX_CONCURRENT_CALLS: String(limit), RETRY_INITIAL_SECONDS: '300' };
  browser = await openBrowser();
  stage = await Stage.open({ settings, callSeconds: 0.2 });
  await stage.service.start('api', 'worker');
}, 120_000);
afterAll(async () => {
  await browser.close();
  await stage.close();
});
beforeEach(async () => {
  // Chromium tells of answers that are errors, and of a service that is away, which the page shows.
  open = await visit(browser, stage.service.url, { bears: /status of (400|409)|net::ERR_/ });
});
afterEach(async () => {
  stage.decide = () => stage.usually();
  await open.leave();
});

const place = (fields: object = {}) => stage.service.place({ to: stage.freshNumber(), ...fields });

describe('the live view, while one looks', () => {
  test('shows who comes on the line, who waits for what in which place, and who has gone', async () => {
    const { page } = open;
    await open.go('#/');
    await page.getByText('Nobody waits.').waitFor();
    await page.getByText('Live', { exact: true }).last().waitFor();

    stage.decide = () => stage.usually({ outcome: 'BUSY' });
    const again = await place();
    await page.getByRole('cell', { name: /Its next attempt/ }).waitFor();

    const release = stage.holdTheLine();
    const held = [];
    for (let one = 0; one < limit; one++) held.push(await place());
    const lanes = page.getByRole('list', { name: 'Slots' }).getByRole('listitem');
    await waitUntil(
      'all lanes are taken',
      async () => (await lanes.filter({ hasText: 'On the line' }).count()) === limit,
    );
    for (const { payload } of held) {
      const lane = lanes.filter({ hasText: payload.to });
      expect(await lane.textContent()).toMatch(/^Slot [1-4]On the line\+\d+ testScriptattempt 1\/30:\d\d$/);
    }

    const [first, second] = [await place(), await place({ priority: 1 })];
    const queue = page.getByRole('region', { name: 'Queue' }).locator('tbody tr');
    const expected = [
      new RegExp(`^1\\${second.payload.to}testScript · priority 1A free slot`),
      new RegExp(`^–\\${again.payload.to}testScript · attempt 2Its next attempt.*in ~\\d+ (s|min)$`),
      new RegExp(`^2\\${first.payload.to}`),
    ];
    await waitUntil('all wait in their places', async () => {
      const rows = await queue.allTextContents();
      return rows.length === expected.length && expected.every((row, index) => row.test(rows[index] ?? ''));
    });

    release();
    stage.decide = () => stage.usually();
    await waitUntil('all have gone but who waits', async () => (await queue.count()) === 1, 60);
    await waitUntil('every lane is free', async () => (await lanes.filter({ hasText: 'free' }).count()) === limit);
    await stage.service.post(`/calls/${again.id}/cancel`);
    await page.getByText('Nobody waits.').waitFor();
  });

  test('says that it is interrupted while the service is away, and goes on by itself', async () => {
    const { page } = open;
    await open.go('#/');
    await page.locator('.connection', { hasText: 'Live' }).waitFor();
    const [api] = stage.service.processes.filter(({ role }) => role === 'api');
    await api?.stop();
    stage.service.forget(api!);
    await page.locator('.connection', { hasText: 'Interrupted' }).waitFor();
    await page.getByText('The service cannot be reached. This page goes on trying.').waitFor();
    await page.getByText(/What is shown is as of/).waitFor();

    await stage.service.start('api');
    await page.locator('.connection', { hasText: 'Live' }).waitFor();
    await page.getByText('The service cannot be reached.').waitFor({ state: 'hidden' });
  });

  test('asks nothing while nobody looks, and shows what has happened when somebody does', async () => {
    const { page } = open;
    await open.go('#/');
    await page.getByText('Nobody waits.').waitFor();
    await page.locator('.connection', { hasText: 'Live' }).waitFor();
    const setVisibility = (state: string) =>
      page.evaluate(
        `Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => '${state}' });` +
          "document.dispatchEvent(new Event('visibilitychange'))",
      );
    await setVisibility('hidden');
    await page.locator('.connection', { hasText: 'Paused while hidden' }).waitFor();
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));

    const release = stage.holdTheLine();
    const { payload } = await place();
    await waitUntil('it is on the line', () => stage.provider.stats().active === 1);
    expect(asked).toEqual([]);
    await setVisibility('visible');
    await page.getByRole('link', { name: payload.to }).waitFor();
    release();
  });
});

test('dialling is paused after asking, with a reason for others to see, and resumed at once', async () => {
  const { page } = open;
  await open.go('#/statistics');
  await page.getByRole('button', { name: 'Pause dialling' }).click();
  const dialog = page.getByRole('dialog', { name: 'Pause dialling?' });
  await dialog.getByRole('button', { name: 'Go back' }).click();
  await dialog.waitFor({ state: 'hidden' });
  expect(await stage.service.get('/control')).toEqual({ pause: null });

  await page.getByRole('button', { name: 'Pause dialling' }).click();
  await dialog.getByLabel('Reason (optional)').fill('The provider is moved');
  await dialog.getByRole('button', { name: 'Pause dialling' }).click();
  const banner = page.getByRole('region', { name: 'Dialling is paused' });
  await banner.getByText('The provider is moved').waitFor();
  expect(await stage.service.get('/control')).toMatchObject({ pause: { reason: 'The provider is moved' } });
  const waiting = await place();
  await open.go('#/');
  await page.getByRole('cell', { name: /Dialling to go on/ }).waitFor();
  expect(await accessibilityProblems(page)).toEqual([]);

  await banner.getByRole('button', { name: 'Resume dialling' }).click();
  await banner.waitFor({ state: 'hidden' });
  expect((await stage.service.untilFinal(waiting.id)).status).toBe('COMPLETED');
});

describe('adding calls', () => {
  test('by the form, which says what is wrong where it is wrong, and leads to the call that a number is busy with', async () => {
    const { page } = open;
    const release = stage.holdTheLine();
    const to = stage.freshNumber();
    await open.go('#/add');
    await page.getByLabel('Number').fill('12345');
    await page.getByLabel('Script').fill('welcome');
    await page.getByLabel('Metadata (optional)').fill('{"customer": "42"');
    await page.getByRole('button', { name: 'Add call' }).click();
    await page.getByRole('alert').getByText('Metadata must be a JSON object').waitFor();
    await page.getByLabel('Metadata (optional)').fill('{"customer": "42"}');
    await page.getByRole('button', { name: 'Add call' }).click();
    await page
      .locator('.problem')
      .getByText(/must be a phone number/)
      .waitFor();

    await page.getByLabel('Number').fill(to);
    await page.getByLabel('Priority').selectOption('2');
    await page.getByRole('button', { name: 'Add call' }).click();
    await page.getByRole('link', { name: `the call to ${to}` }).waitFor();
    expect(await page.getByLabel('Number').inputValue()).toBe('');
    const [call] = (await stage.service.get<{ calls: { id: string }[] }>(`/calls?to=${encodeURIComponent(to)}`)).calls;
    expect(call).toMatchObject({
      priority: 2,
      payload: { to, scriptId: 'welcome', metadata: { customer: '42' } },
    });

    await page.getByLabel('Number').fill(to);
    await page.getByLabel('Script').fill('welcome');
    await page.getByRole('button', { name: 'Add call' }).click();
    await page.getByRole('link', { name: 'See that call' }).click();
    await page.getByRole('heading', { name: to }).waitFor();
    expect(page.url()).toContain(call?.id);
    release();
  });

  test('by dropping a CSV file: what was refused is told row by row', async () => {
    const { page } = open;
    const numbers = Array.from({ length: 3 }, () => stage.freshNumber());
    const csv = `to,scriptId,metadata.customer\n${numbers.map((to, index) => `${to},fromFile,${index}`).join('\n')}\nnobody,fromFile,4\n`;
    await open.go('#/add');
    const transfer = await page.evaluateHandle<DataTransferLike>(
      `(() => { const transfer = new DataTransfer(); transfer.items.add(new File([${JSON.stringify(csv)}], 'calls.csv', { type: 'text/csv' })); return transfer })()`,
    );
    await page.locator('.drop').dispatchEvent('drop', { dataTransfer: transfer });
    await page.getByText('calls.csv').waitFor();
    await page.getByRole('region', { name: 'How the file begins' }).getByText(numbers[0]!).waitFor();
    await page.getByRole('button', { name: 'Accept these calls' }).click();
    await page.getByText('Done: 4 rows, 3 accepted, 1 refused.').waitFor();
    expect(await page.locator('.result tbody tr').allTextContents()).toEqual([
      expect.stringMatching(/^4to must be a phone number/),
    ]);
    const { total } = await stage.service.get<{ total: number }>('/calls?scriptId=fromFile');
    expect(total).toBe(3);
  });

  test('by choosing a file that is no CSV of calls: it is told why, and nothing was accepted', async () => {
    const { page } = open;
    await open.go('#/add');
    await page.getByLabel(/Drop a file here/).setInputFiles({
      name: 'other.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from('name,phone\nNoura,+966501234567\n'),
    });
    await page.getByRole('button', { name: 'Accept these calls' }).click();
    await page
      .getByRole('alert')
      .getByText(/name is not a known/)
      .waitFor();
    await page.getByRole('button', { name: 'Send it again' }).waitFor();
  });
});

/** What a test hands on without looking into it. */
type DataTransferLike = object;

test('by keys alone: from the top to a call that is added, and canceled after a question that Escape takes back', async () => {
  const { page } = open;
  const release = stage.holdTheLine();
  const to = stage.freshNumber();
  const { keyboard } = page;
  const focused = () => page.evaluate<string>("document.activeElement.innerText || document.activeElement.name || ''");
  const tabTo = async (what: string) => {
    for (let steps = 0; steps < 40; steps++) {
      await keyboard.press('Tab');
      if ((await focused()).startsWith(what)) return;
    }
    throw new Error(`${what} is not reached by Tab`);
  };
  await open.go('#/');
  await page.getByText('Nobody waits.').waitFor();
  await keyboard.press('Tab');
  expect(await focused()).toBe('To the content');
  await tabTo('Add');
  await keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Add calls' }).waitFor();
  await tabTo('to');
  await keyboard.type(to);
  await tabTo('scriptId');
  await keyboard.type('byKeys');
  await keyboard.press('Enter');
  await page.getByRole('link', { name: `the call to ${to}` }).waitFor();
  await tabTo(`the call to ${to}`);
  await keyboard.press('Enter');
  await page.getByRole('heading', { name: `${to} In progress` }).waitFor();

  await tabTo('Cancel call');
  await keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Cancel this call?' });
  await dialog.waitFor();
  expect(await focused()).toBe('Go back');
  await keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  expect(await focused()).toBe('Cancel call');
  await keyboard.press('Enter');
  await dialog.waitFor();
  // Asked again right after: both keys are there before the page has heard of its dialog's end.
  await Promise.all([keyboard.press('Escape'), keyboard.press('Enter')]);
  await dialog.waitFor();
  expect(await focused()).toBe('Go back');
  await keyboard.press('Enter');
  await dialog.waitFor({ state: 'hidden' });
  expect(await focused()).toBe('Cancel call');
  await keyboard.press('Enter');
  await dialog.waitFor();
  await tabTo('Cancel the call');
  await keyboard.press('Enter');
  await page.getByRole('heading', { name: `${to} Canceled` }).waitFor();
  release();
});
