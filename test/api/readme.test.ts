import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { readDocument, section } from '../docs/documents';
import { startApi, type ApiUnderTest } from './api-under-test';

const run = promisify(execFile);

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const blocks = [...section(readDocument('README.md'), 'A first call').matchAll(/^```\w*\n(.*?)^```$/gms)].map(
  ([, block = '']) => block,
);

/** Types a command of the README, but for the port. */
async function type(command: string): Promise<string> {
  const { stdout } = await run('sh', ['-c', command.replaceAll('localhost:3000', new URL(api.url).host)]);
  return stdout;
}

test('the commands of README’s first call do what is said there', async () => {
  const [accept = '', said = '', follow = ''] = blocks;
  const [head = '', body = ''] = (await type(accept)).split('\r\n\r\n');
  const [saidHead = '', saidBody = ''] = said.split('\n\n');
  expect(head.split('\r\n')[0]).toBe(saidHead.split('\n')[0]);
  const call = JSON.parse(body) as { id: string; payload: unknown };
  const saidCall = JSON.parse(saidBody) as typeof call;
  expect(head.toLowerCase()).toContain(`location: /calls/${call.id}`);
  expect(Object.keys(call)).toEqual(Object.keys(saidCall));
  expect(call.payload).toEqual(saidCall.payload);

  const commands = follow.trimEnd().split('\n');
  expect(commands).toHaveLength(3);
  const answers = await Promise.all(
    commands.map(async (command) => JSON.parse(await type(command.replace('<id>', call.id))) as object),
  );
  expect(answers).toEqual([call, { attempts: [] }, { events: [expect.objectContaining({ type: 'call.accepted' })] }]);
});
