import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

import { CallsApiError } from '../../client/errors';

interface FieldProps {
  name: string;
  /** Beside the name. */
  hint?: string | undefined;
  problem?: string | undefined;
  isWide?: boolean;
  children: (attributes: { id: string; 'aria-describedby'?: string; 'aria-invalid'?: true }) => ComponentChildren;
}

/** An input with its name, and what is wrong with it, where readers of either kind find it. */
export function Field({ name, hint, problem, isWide = false, children }: FieldProps) {
  const id = useId();
  const described = [hint !== undefined && `${id}-hint`, problem !== undefined && `${id}-problem`].filter(Boolean);
  return (
    <div class={`field${problem === undefined ? '' : ' field-bad'}${isWide ? ' is-wide' : ''}`}>
      <label for={id}>{name}</label>
      {children({
        id,
        ...(described.length > 0 && { 'aria-describedby': described.join(' ') }),
        ...(problem !== undefined && { 'aria-invalid': true as const }),
      })}
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {problem !== undefined && (
        <p class="problem" id={`${id}-problem`}>
          {problem}
        </p>
      )}
    </div>
  );
}

/** What the service says of each field; what lies deeper counts for the field it lies in. */
export function problemsOf(error: unknown): Record<string, string | undefined> {
  const errors = error instanceof CallsApiError ? (error.problem?.errors ?? []) : [];
  return Object.fromEntries(errors.map(({ path, message }) => [path.split('.')[0] ?? '', message]));
}
