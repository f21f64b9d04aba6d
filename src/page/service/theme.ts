import { effect, signal } from '@preact/signals';

export const themes = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

const storedAs = 'call-orchestrator.theme';

const stored = localStorage.getItem(storedAs);

/** `auto` is what the system has. */
export const theme = signal<Theme>(themes.find((name) => name === stored) ?? 'auto');

effect(() => {
  document.documentElement.dataset['theme'] = theme.value;
  localStorage.setItem(storedAs, theme.value);
});
