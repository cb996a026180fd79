// Workers of a group watch each other by records of their own, where brokers do not let a group say how soon a silent member is given up.
//
// Kafka's own bound is 45 s, and only the brokers' operators can lower it. So each worker appends a beat time and again and reads those of the others. Who is silent is decided by the
// order of the log alone: so many of the watcher's own beats lie behind the other's last one. Where nobody can append, nobody is given up, and a watcher that
// was asleep reads what it has missed before it judges. To give up one that lives does no harm: it joins again.
import type { KafkaCluster, TopicPartition } from "./cluster.ts";
import { logClosed } from "./failures.ts";
import type { PlainSender } from "./plain-sender.ts";
import { decodeRecords } from "./record-batch.ts";
import { scan } from "./scan.ts";

/** So many of the watcher's own after another's last one make that one silent. */
export const beatsUntilSilent = 8;
/** Who has not been heard of for longer has lost its session anyway: brokers allow no longer ones, unless they are told to. */
const heardOfMs = 60_000;

export interface BeatsOptions {
  readonly cluster: KafkaCluster;
  readonly sender: PlainSender;
  readonly place: TopicPartition;
  /** Whose members watch each other. */
  readonly group: string;
  readonly member: string;
  readonly everyMs: number;
  /** The member has not been heard of for as long as a session may be silent. Told once, until it is heard of again. */
  readonly onSilent: (member: string) => Promise<void>;
}

export class Beats {
  readonly #options: BeatsOptions;
  /** Of every other member that was heard of: own beats since its last one. */
  readonly #since = new Map<string, number>();
  readonly #stopped = new AbortController();
  #next = 0;

  private constructor(options: BeatsOptions) {
    this.#options = options;
  }

  /** Resolves when the first beat is in the log. */
  static async start(options: BeatsOptions): Promise<Beats> {
    const beats = new Beats(options);
    const { cluster, place } = options;
    const sinceMs = cluster.clock.now() - heardOfMs;
    const [next] = await cluster.retrying("watch a group", options.group, () => cluster.offsets([place], sinceMs));
    // Nothing that late yet: the first own beat will be.
    beats.#next = next! < 0 ? Infinity : next!;
    await beats.#beat();
    void beats.#run();
    return beats;
  }

  stop(): void {
    this.#stopped.abort(logClosed());
  }

  async #run(): Promise<void> {
    const { cluster, everyMs } = this.#options;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        await cluster.timers.sleep(everyMs, signal);
        await this.#beat();
        for (const member of this.#silent()) await this.#options.onSilent(member);
      } catch {
        // The next beat is tried; who cannot append judges nobody.
      }
    }
  }

  async #beat(): Promise<void> {
    const { cluster, sender, place, group, member } = this.#options;
    const { baseOffset } = await sender.send(place, [{ key: group, value: member }]);
    const heard = new Set<string>();
    const from = Math.min(this.#next, baseOffset);
    await scan(cluster, place, { from, to: baseOffset + 1, committedOnly: false }, (head) => {
      const { count, keys, values } = decodeRecords(head, place.topic);
      const text = ({ bytes, starts }: typeof values, i: number): string =>
        Buffer.from(bytes.subarray(starts[i], starts[i + 1])).toString();
      for (let i = 0; i < count; i++) if (keys && text(keys, i) === group) heard.add(text(values, i));
    });
    this.#next = baseOffset + 1;
    for (const [other, beats] of this.#since) this.#since.set(other, beats + 1);
    for (const other of heard) if (other !== member) this.#since.set(other, 0);
  }

  #silent(): string[] {
    const silent = [...this.#since].flatMap(([member, beats]) => (beats < beatsUntilSilent ? [] : member));
    for (const member of silent) this.#since.delete(member);
    return silent;
  }
}
