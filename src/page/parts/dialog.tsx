import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}

/** In front of everything: the browser's own keeps the focus in it, closes it by Escape, and gives the focus back. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const heading = useId();
  // Of layout, for it then closes before it is taken away: one that has been taken away gives no focus back.
  useLayoutEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={element}
      aria-labelledby={heading}
      onCancel={(event) => {
        // Closed here and now, with the focus given back: of its own closing the browser tells only later, and whoever
        // has opened it again by then would see it closed by the late word.
        event.preventDefault();
        event.currentTarget.close();
        onClose();
      }}
      onClose={() => {
        // Not of one that was taken away.
        if (element.current) onClose();
      }}
    >
      <h2 id={heading}>{title}</h2>
      {children}
    </dialog>
  );
}
