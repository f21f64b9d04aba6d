import type { ComponentChildren } from 'preact';

/** A few figures to be seen first. */
export function Tiles({ children }: { children: ComponentChildren }) {
  return <dl class="tiles">{children}</dl>;
}

interface TileProps {
  name: string;
  value: string;
  note?: string | undefined;
  /** Where there is more of it. */
  href?: string;
}

export function Tile({ name, value, note, href }: TileProps) {
  return (
    <div class="tile">
      <dt>{href === undefined ? name : <a href={href}>{name}</a>}</dt>
      <dd>
        <strong>{value}</strong> {note !== undefined && <span>{note}</span>}
      </dd>
    </div>
  );
}
