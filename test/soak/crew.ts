import type { Role, RoleProcess } from '../support/role-process';
import type { Service } from '../support/service';

interface Place {
  role: Role;
  env: Record<string, string>;
  running: RoleProcess | undefined;
}

/** The roles' processes, and the supervisor that starts another wherever one has ended. */
export class Crew {
  /** Processes that ended although nobody had stopped or killed them. */
  readonly endedByThemselves: string[] = [];
  private readonly places: Place[];
  private supervising: Promise<void> | undefined;

  constructor(
    private readonly service: Service,
    plans: readonly { role: Role; env: Record<string, string> }[],
  ) {
    this.places = plans.map((plan) => ({ ...plan, running: undefined }));
  }

  /** Starts them all, and any that ended again until the signal says that it is enough. */
  async start(signal: AbortSignal, pause: (seconds: number) => Promise<void>): Promise<void> {
    await Promise.all(this.places.map((place) => this.fill(place)));
    this.supervising = (async () => {
      while (!signal.aborted) {
        await Promise.all(this.places.map((place) => this.refill(place)));
        await pause(0.5);
      }
    })();
  }

  /** Fills every place for good: back when each process runs. */
  async settle(): Promise<void> {
    await this.supervising;
    await Promise.all(this.places.map((place) => this.refill(place)));
  }

  /** Those that run now. */
  running(role?: Role): RoleProcess[] {
    return this.places
      .filter((place) => role === undefined || place.role === role)
      .flatMap(({ running }) => (running && !running.ended ? [running] : []));
  }

  private async refill(place: Place): Promise<void> {
    const { running } = place;
    if (running && !running.ended) return;
    if (running?.endedByItself) {
      this.endedByThemselves.push(`${place.role} (exit code ${running.exitCode}): ${lastLine(running.output)}`);
    }
    if (running) this.service.forget(running);
    place.running = undefined;
    // What it needs may be broken just now; the next round tries again.
    await this.fill(place).catch(() => undefined);
  }

  private async fill(place: Place): Promise<void> {
    place.running = await this.service.run(place.role, place.env);
  }
}

function lastLine(output: string): string {
  return output.trimEnd().split('\n').at(-1)?.slice(0, 500) ?? '';
}
