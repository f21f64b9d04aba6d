import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** In a process of its own: what is set is the whole process's. */
const program = `
  const { shortenWorkflowStacks } = require(${JSON.stringify(join(__dirname, '../../dist/src/start/workflow-stacks.js'))});
  shortenWorkflowStacks();
  const { Worker } = require('node:worker_threads');
  const thrower = 'const outer = () => inner(); const inner = () => { throw new Error("no") }; ' +
    'try { outer() } catch (error) { error.stack.split("\\\\n").slice(1) }';
  const inContext = 'require("node:vm").runInContext(' + JSON.stringify(thrower) +
    ', require("node:vm").createContext({}), "workflow.js")';
  const thread = new Worker('require("node:worker_threads").parentPort.postMessage(' + inContext + ')', { eval: true });
  thread.once('message', (workflow) => {
    const own = eval(thrower);
    console.log(JSON.stringify({ workflow, own }));
  });
`;

test('an error of a workflow tells where it was thrown and no more; others keep their frames', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', program]);
  const { workflow, own } = JSON.parse(stdout) as { workflow: string[]; own: string[] };
  expect(workflow).toEqual([expect.stringMatching(/at inner \(workflow\.js:1:\d+\)/)]);
  expect(own.length).toBeGreaterThan(2);
});
