import { setFlagsFromString } from 'node:v8';

/**
 * The SDK keeps the stack of every promise of a workflow, each frame looked up in the bundle's source map: a third of the
 * workflows' thread. With one frame a defect in a workflow still tells its place. V8 reads this where it makes a
 * context, as the SDK does for workflows: errors of the code that calls this keep all of their frames.
 */
export function shortenWorkflowStacks(): void {
  setFlagsFromString('--stack-trace-limit=1');
}
