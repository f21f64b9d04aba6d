interface Connectable {
  connect: () => Promise<void>;
  disconnect: () => Promise<void>;
}

/**
 * A client that is made and connected when first needed, and made anew after any error: what a client remembers of a
 * broker that went away (connections, metadata, a producer's sequence numbers) is not worth keeping.
 */
export class Reconnecting<Client extends Connectable> {
  private connected: Promise<Client> | undefined;

  constructor(private readonly make: () => Client) {}

  async use<Result>(work: (client: Client) => Promise<Result>): Promise<Result> {
    const connected = (this.connected ??= this.connect());
    try {
      return await work(await connected);
    } catch (error) {
      if (this.connected === connected) {
        this.connected = undefined;
        this.letGo(connected);
      }
      throw error;
    }
  }

  async close(): Promise<void> {
    const { connected } = this;
    this.connected = undefined;
    await connected?.then(
      (client) => client.disconnect(),
      () => undefined,
    );
  }

  private async connect(): Promise<Client> {
    const client = this.make();
    try {
      await client.connect();
      return client;
    } catch (error) {
      client.disconnect().catch(() => undefined);
      throw error;
    }
  }

  /** Not waited for: a client whose broker hangs takes its time to disconnect, or never does. */
  private letGo(connected: Promise<Client>): void {
    connected.then((client) => client.disconnect()).catch(() => undefined);
  }
}
