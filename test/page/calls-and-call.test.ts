import type { Browser } from 'playwright-core';

import { Stage } from '../faults/stage';
import { waitUntil } from '../support/wait-until';
import { openBrowser, visit, type Visit } from './browser';

let stage: Stage;
let browser: Browser;
let open: Visit;

beforeAll(async () => {
  browser = await openBrowser();
  stage = await Stage.open({ settings: { RETRY_INITIAL_SECONDS: '0.2', MAX_CONCURRENT_CALLS: '3' }, callSeconds: 0.1 });
  await stage.service.start('api', 'worker');
}, 120_000);
afterAll(async () => {
  await browser.close();
  await stage.close();
});
beforeEach(async () => {
  // Chromium tells of an answer that is an error, which the page shows.
  open = await visit(browser, stage.service.url, { bears: /status of (400|404|409)/ });
});
afterEach(async () => {
  stage.decide = () => stage.usually();
  await open.leave();
});

const place = (fields: object = {}) => stage.service.place({ to: stage.freshNumber(), ...fields });

describe('looking for calls', () => {
  test('by number, as it is or as people write it, by script, by status, and by id', async () => {
    const { page } = open;
    const marked = await place({ scriptId: 'rareScript' });
    const other = await place();
    await Promise.all([stage.service.untilFinal(marked.id), stage.service.untilFinal(other.id)]);
    const { to } = marked.payload;
    const look = async (text: string) => {
      await page.getByRole('searchbox', { name: 'Number, script or id' }).fill(text);
      await page.keyboard.press('Enter');
    };
    const only = async (found: string) => {
      await page.getByText(found, { exact: true }).waitFor();
      const links = page.locator('tbody a');
      await waitUntil(`only ${to}`, async () => (await links.allTextContents()).join() === to);
    };

    await open.go('#/calls');
    await page.getByRole('link', { name: other.payload.to }).waitFor();
    await look(to);
    await only(`1 call to ${to}`);
    await look(`${to.slice(0, 4)} ${to.slice(4, 6)} ${to.slice(6)}`.replace('+', '00'));
    await only(`1 call to ${to}`);
    await look('rareScript');
    await only('1 call with script rareScript');
    await page.getByRole('link', { name: 'Failed' }).click();
    await page.getByText('There is no such call.').waitFor();
    await page.getByRole('link', { name: 'Completed' }).click();
    await only('1 call with script rareScript, completed');
    await look(`call-${marked.id}`);
    await page.getByRole('heading', { name: `${to} Completed` }).waitFor();
  });
});

describe("a call's page", () => {
  test('shows its attempts, what the provider reported, its events, and leads to its workflow', async () => {
    const { page } = open;
    stage.decide = ({ nth }) =>
      nth === 1
        ? stage.usually({ outcome: 'NO_ANSWER', failureReason: 'The phone rang out', seconds: 0.3 })
        : stage.usually({ seconds: 0.3 });
    const call = await place({ metadata: { customer: 'Noura' } });
    await open.go(`#/calls/${call.id}`);
    await page.getByRole('heading', { name: `${call.payload.to} Completed` }).waitFor();
    await page.getByText('2 of 3').waitFor();
    await page.getByText('{"customer":"Noura"}').waitFor();

    const timeline = page.getByRole('region', { name: 'Timeline' });
    expect(await timeline.locator('strong').allTextContents()).toEqual([
      'Accepted',
      'Attempt 1 begins',
      'Provider reports: no answer',
      'Attempt 1 ended: no answer',
      'Attempt 2 begins',
      'Provider reports: completed',
      'Attempt 2 ended: completed',
      'Completed',
    ]);
    const reports = page.getByRole('region', { name: 'Provider reports' });
    expect(await reports.locator('tbody tr').count()).toBe(2);
    await reports.getByText('The phone rang out').waitFor();

    const events = page.getByRole('region', { name: 'Outgoing events' });
    expect(await events.locator('code').allTextContents()).toEqual(
      (await stage.service.events(call.id)).map(({ type }) => type),
    );
    await events.getByText('call.completed', { exact: true }).click();
    const shown = await events.getByRole('region', { name: 'Event 6' }).textContent();
    expect(JSON.parse(shown ?? '')).toEqual((await stage.service.events(call.id)).at(-1));

    const { namespace } = stage.service.namespace;
    expect(await page.getByRole('link', { name: /Workflow in Temporal/ }).getAttribute('href')).toBe(
      `http://127.0.0.1:8233/namespaces/${namespace}/workflows/call-${call.id}`,
    );
  });

  test('cancels a call on the line after asking, and not where one goes back', async () => {
    const { page } = open;
    stage.holdTheLine();
    const call = await place();
    await open.go(`#/calls/${call.id}`);
    await page.getByRole('heading', { name: /In progress/ }).waitFor();

    await page.getByRole('button', { name: 'Cancel call' }).click();
    const dialog = page.getByRole('dialog', { name: 'Cancel this call?' });
    await dialog.getByText('will be hung up').waitFor();
    await dialog.getByRole('button', { name: 'Go back' }).click();
    await dialog.waitFor({ state: 'hidden' });
    expect((await stage.service.call(call.id)).status).toBe('IN_PROGRESS');

    await page.getByRole('button', { name: 'Cancel call' }).click();
    await dialog.getByRole('button', { name: 'Cancel the call' }).click();
    await page.getByRole('heading', { name: /Canceled/ }).waitFor();
    expect((await stage.service.call(call.id)).status).toBe('CANCELED');
    await waitUntil('it is hung up', () => stage.lineIsQuiet());
  });

  test('retries a call that has failed', async () => {
    const { page } = open;
    stage.decide = () => stage.usually({ outcome: 'BUSY', seconds: 0.1 });
    const call = await place();
    await stage.service.untilFinal(call.id);
    stage.decide = () => stage.usually({ seconds: 0.1 });

    await open.go(`#/calls/${call.id}`);
    await page.getByRole('heading', { name: /Failed/ }).waitFor();
    await page.getByRole('button', { name: 'Retry' }).click();
    await page.getByRole('heading', { name: /Completed/ }).waitFor();
    expect(await stage.service.call(call.id)).toMatchObject({ status: 'COMPLETED', attempts: 1 });
  });

  test('edits a call while it is pending, tells what is wrong at its field, and leaves alone what was not touched', async () => {
    const { page } = open;
    const release = stage.holdTheLine();
    await Promise.all(Array.from({ length: stage.limit }, () => place()));
    await waitUntil('every slot is held', () => stage.provider.stats().active === stage.limit);
    const { id } = await place({ metadata: { customer: 'Noura' } });

    await open.go(`#/calls/${id}`);
    await page.getByRole('button', { name: 'Edit' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Script').fill('shorterScript');
    await dialog.getByLabel('Number').fill('12');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog
      .getByText(/must be a phone number/)
      .first()
      .waitFor();
    expect(await dialog.getByLabel('Number').getAttribute('aria-invalid')).toBe('true');

    const to = stage.freshNumber();
    await dialog.getByLabel('Number').fill(to);
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await page.getByRole('heading', { name: to }).waitFor();
    expect((await stage.service.call(id)).payload).toEqual({
      to,
      scriptId: 'shorterScript',
      metadata: { customer: 'Noura' },
    });
    release();
    expect(await stage.service.untilFinal(id)).toMatchObject({ status: 'COMPLETED', payload: { to } });
  });

  test('of an id that nobody has says so', async () => {
    await open.go('#/calls/8a5ba5a0-6a5e-4b7e-9d0c-1f2e3d4c5b6a');
    await open.page.getByRole('heading', { name: 'There is no such call' }).waitFor();
  });
});
