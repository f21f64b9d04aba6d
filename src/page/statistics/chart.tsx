import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';

export interface Area {
  width: number;
  height: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface ChartProps {
  title: string;
  /** What is seen in it, in a sentence. */
  summary: string;
  height: number;
  legend?: ComponentChildren;
  /** What is under the pointer. */
  readout?: string | undefined;
  /** The same as figures. */
  table: ComponentChildren;
  draw: (area: Area) => ComponentChildren;
  /** How far along the drawn width the pointer is, 0 to 1; undefined when it has left. */
  onPoint?: (share: number | undefined) => void;
}

const margins = { left: 44, right: 8, top: 10, bottom: 24 };

/** A drawing as wide as there is room, with the same as a table for those who cannot see it or want the figures. */
export function Chart({ title, summary, height, legend, readout, table, draw, onPoint }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const heading = useId();
  const width = useSignal(0);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => (width.value = element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const area: Area = {
    ...{ width: width.value, height, left: margins.left, right: width.value - margins.right },
    ...{ top: margins.top, bottom: height - margins.bottom },
  };
  const point = (x: number) => {
    const left = box.current?.getBoundingClientRect().left ?? 0;
    onPoint?.(Math.min(1, Math.max(0, (x - left - area.left) / (area.right - area.left))));
  };
  return (
    <section class="chart" aria-labelledby={heading}>
      <h2 id={heading}>{title}</h2>
      <p class="chart-legend">{readout ?? legend}</p>
      <div
        ref={box}
        class="chart-box"
        onPointerMove={(event) => point(event.clientX)}
        onPointerLeave={() => onPoint?.(undefined)}
      >
        {width.value > 0 && (
          <svg width={width.value} height={height} role="img" aria-label={summary}>
            {draw(area)}
          </svg>
        )}
      </div>
      <details>
        <summary>As a table</summary>
        <div class="scrolls" tabIndex={0} role="region" aria-label={`${title}, as a table`}>
          {table}
        </div>
      </details>
    </section>
  );
}

/** Round values from 0 to at least `largest`, a few of them. */
export function ticksUpTo(largest: number): number[] {
  const rough = Math.max(largest, 1) / 4;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].map((one) => one * magnitude).find((one) => one >= rough) ?? rough);
  return Array.from({ length: Math.ceil(Math.max(largest, 1) / step) + 1 }, (_, index) => index * step);
}

interface AxisProps {
  area: Area;
  ticks: readonly number[];
  label: (tick: number) => string;
}

export function VerticalAxis({ area, ticks, label }: AxisProps) {
  const largest = ticks.at(-1) ?? 1;
  return (
    <g class="axis">
      {ticks.map((tick) => {
        const y = area.bottom - (tick / largest) * (area.bottom - area.top);
        return (
          <g key={tick}>
            <line x1={area.left} x2={area.right} y1={y} y2={y} />
            <text x={area.left - 6} y={y + 4} text-anchor="end">
              {label(tick)}
            </text>
          </g>
        );
      })}
    </g>
  );
}
