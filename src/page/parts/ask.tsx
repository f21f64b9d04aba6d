import type { ComponentChildren } from 'preact';

import type { Act } from './act';
import { Dialog } from './dialog';
import { Trouble } from './notices';

interface AskProps {
  title: string;
  /** What will happen. */
  children: ComponentChildren;
  /** What the button says that does it. */
  yes: string;
  act: Act;
  onYes: () => void;
  onClose: () => void;
}

/** Asks before something is done that ends something. */
export function Ask({ title, children, yes, act, onYes, onClose }: AskProps) {
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      <Trouble error={act.error.value} />
      <div class="buttons">
        <button type="button" onClick={onClose} autofocus>
          Go back
        </button>
        <button type="button" class="danger" disabled={act.isBusy.value} onClick={onYes}>
          {yes}
        </button>
      </div>
    </Dialog>
  );
}
