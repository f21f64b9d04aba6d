import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

/**
 * Bundles the workflows once, at build time: each worker would else spend seconds on it at every start, and would need
 * the bundler in production. `dist/workflow-bundle.js` is what the worker loads, or where payloads are encrypted the other,
 * whose failures are for the codec: what is in a bundle cannot depend on a setting.
 */
const dist = join(__dirname, '..');
const workflowsPath = join(dist, 'src/workflows/index.js');
const workflowInterceptorModules = [join(dist, 'src/workflows/trace-runs.js')];
const failureConverterPath = join(dist, 'src/encryption/failure-converter.js');
const bundles = {
  'workflow-bundle.js': {},
  'workflow-bundle-encrypted.js': { failureConverterPath },
};

async function bundleWorkflows(): Promise<void> {
  if (!existsSync(workflowsPath)) return;
  const inputs = hashOfInputs();
  for (const [name, options] of Object.entries(bundles)) {
    const bundle = join(dist, name);
    const stamp = `${bundle}.inputs`;
    if (existsSync(bundle) && existsSync(stamp) && readFileSync(stamp, 'utf8') === inputs) continue;
    const logger = new DefaultLogger('WARN');
    const { code } = await bundleWorkflowCode({ workflowsPath, workflowInterceptorModules, logger, ...options });
    mkdirSync(dist, { recursive: true });
    const unfinished = `${bundle}.part`;
    writeFileSync(unfinished, code);
    renameSync(unfinished, bundle);
    writeFileSync(stamp, inputs);
  }
}

/** All of src: what a workflow imports is the lint rules' business, and must not be known here a second time. */
function hashOfInputs(): string {
  const hash = createHash('sha256').update(require.resolve('@temporalio/worker'));
  const source = join(dist, 'src');
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.js'));
  for (const file of [...files.sort(), '../../package-lock.json'])
    hash.update(file).update(readFileSync(join(source, file)));
  return hash.digest('hex');
}

bundleWorkflows().catch((error: unknown) => {
  process.stderr.write(
    `The workflows could not be bundled: ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exit(1);
});
