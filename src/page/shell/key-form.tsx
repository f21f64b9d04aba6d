import type { TargetedSubmitEvent } from 'preact';

import { Field } from '../parts/fields';
import { hasKey, useKey } from '../service/session';

/** In place of everything else, where the service asks for a key. */
export function KeyForm({ reason }: { reason: string }) {
  const enter = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const text = new FormData(event.currentTarget).get('key');
    if (typeof text === 'string' && /^[\x21-\x7e]+$/.test(text.trim())) useKey(text.trim());
  };
  return (
    <main class="key">
      <h1>Calls</h1>
      <form onSubmit={enter}>
        <Field
          name="API key"
          hint="Kept in this tab alone, until it is closed. One that may read shows everything; to change calls it must be allowed to write."
          problem={hasKey.value ? reason : undefined}
        >
          {(attributes) => (
            <input
              {...attributes}
              name="key"
              type="password"
              required
              autocomplete="off"
              spellcheck={false}
              autofocus
            />
          )}
        </Field>
        <div class="buttons">
          <button type="submit" class="primary">
            Enter
          </button>
        </div>
      </form>
    </main>
  );
}
