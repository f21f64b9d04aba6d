import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

import { findTemporalCli } from '../../infra/services/temporal';
import { pickFreePorts } from '../../infra/tcp-port';
import { readConfig } from '../../src/config';
import type { Call } from '../../src/call/call';
import { EncryptionCodec } from '../../src/encryption/payload-codec';
import { everyHistory, type StoredPayload } from '../support/every-history';
import { Service } from '../support/service';
import { waitUntil } from '../support/wait-until';

const run = promisify(execFile);
const number = '+966502220001';
const keyOf = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;

let service: Service;
let failed: Call;
let kept: { text: string; payloads: StoredPayload[] };

/** A call whose three attempts fail, each with a reason of the provider's, on a service that has a key. */
beforeAll(async () => {
  service = await Service.open({
    PAYLOAD_KEYS: keyOf('first'),
    PERSONAL_DATA_IN_KEYS: 'withheld',
    MOCK_SUCCESS_RATE: '0',
    MOCK_SEED: 'failures',
  });
  await service.start('api', 'worker', 'provider');
  const { id } = await service.place({ to: number, scriptId: 'secretScript' });
  failed = await service.untilFinal(id);
  await waitUntil('the workflow is closed', async () => {
    const { status } = await service.namespace.client.workflow.getHandle(`call-${id}`).describe();
    return status.name !== 'RUNNING';
  });
  kept = await waitUntil('every run can be found', async () => {
    const all = await everyHistory(service.namespace.client);
    const seen = [1, 2, 3].every((attempt) => all.text.includes(`"attempt":${attempt},`));
    return seen && all.payloads.some(({ path }) => path.startsWith('reconcile')) ? all : undefined;
  });
}, 150_000);
afterAll(() => service.close());

/** The call's last run as the command line shows it, with the contents of its payloads in clear text. */
async function historyByCli(...args: string[]): Promise<{ shown: string; contents: string }> {
  const { stdout } = await run(await findTemporalCli(), [
    ...['workflow', 'show', '--workflow-id', `call-${failed.id}`, '--output', 'json'],
    ...['--namespace', service.namespace.namespace, '--address', readConfig(process.env).TEMPORAL_ADDRESS],
    ...args,
  ]);
  const contents = [...stdout.matchAll(/"data": "(.*?)"/g)].map(([, data = '']) => Buffer.from(data, 'base64'));
  return { shown: stdout, contents: contents.join('\n') };
}

const encrypted = Buffer.from('binary/encrypted').toString('base64');
const reason = () => failed.lastError?.split(': ')[1] ?? 'none';

test('everything that Temporal keeps of a call and of the reconciler is encrypted, failures too', () => {
  expect(failed).toMatchObject({ status: 'FAILED', attempts: 3 });
  expect(kept.payloads.length).toBeGreaterThan(20);
  expect(kept.payloads.filter(({ encoding }) => encoding !== 'binary/encrypted')).toEqual([]);
  const wherePayloadsAre = kept.payloads.map(({ path }) => path).join('\n');
  for (const place of ['reconcile', 'userMetadata.summary', 'input', 'memo', 'encodedAttributes', 'details.result']) {
    expect(wherePayloadsAre).toContain(place);
  }
  expect(reason()).not.toBe('none');
  expect(kept.text).not.toContain(reason());
});

test('ids, search attributes and, decrypted, the histories hold no number where it is withheld, not even a masked one', async () => {
  const { PAYLOAD_KEYS } = readConfig(service.settings);
  const decrypted = await new EncryptionCodec(PAYLOAD_KEYS ?? []).decode(kept.payloads);
  const contents = decrypted.map(({ data }) => Buffer.from(data ?? []).toString());
  expect(contents).toContain('"secretScript"');
  expect(kept.text).toContain('"secretScript"');
  for (const text of [...contents, kept.text]) expect(text).not.toMatch(/966502220001|•|\+966/);
});

describe("Temporal's own command line", () => {
  test('shows a history encrypted', async () => {
    const { shown, contents } = await historyByCli();
    expect(shown).toContain(encrypted);
    for (const secret of [`"callId":"${failed.id}"`, reason()]) expect(contents).not.toContain(secret);
  });

  test('shows it readable by the codec endpoint, for those whom the API lets in', async () => {
    const { shown, contents } = await historyByCli('--codec-endpoint', `${service.url}/codec`);
    expect(shown).not.toContain(encrypted);
    for (const secret of [`"callId":"${failed.id}"`, reason()]) expect(contents).toContain(secret);
  });

  test('is let in with an admin key alone where the API asks for keys', async () => {
    const [port = 0] = await pickFreePorts(1);
    const key = 'the-key-of-those-who-may-read-histories';
    await service.run('api', { PORT: String(port), API_KEYS: 'required', ADMIN_API_KEY: key });
    const endpoint = ['--codec-endpoint', `http://127.0.0.1:${port}/codec`];
    expect((await historyByCli(...endpoint, '--codec-auth', `Bearer ${key}`)).contents).toContain(reason());
    const refused = await fetch(`http://127.0.0.1:${port}/codec/decode`, { method: 'POST' });
    expect(refused.status).toBe(401);
    // It asks again and again until its deadline, and shows nothing.
    await expect(historyByCli(...endpoint, '--codec-auth', 'Bearer aco_another_key')).rejects.toThrow(
      'deadline exceeded',
    );
  });
});
