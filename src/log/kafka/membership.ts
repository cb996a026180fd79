// One process's place in a consumer group (KIP-848): it says by heartbeats that it lives and what it holds, and is told which partitions are its turn.
//
// The coordinator takes a partition from one member only after that one has said that it holds it no more, or was not heard of for the group's session timeout.
// Offsets are committed with the member's epoch, so a member that was given up commits nothing.
import { consumerGroupHeartbeatV1 } from "@platformatic/kafka";
import type { RdgError } from "../../core/errors.ts";
import { Wake } from "../../core/wake.ts";
import type { KafkaCluster } from "./cluster.ts";
import { errorNames, fenced, logClosed } from "./failures.ts";

export interface MembershipOptions {
  readonly cluster: KafkaCluster;
  readonly groupId: string;
  /** A member that joins ends the one before it of the same id. */
  readonly memberId: string;
  /** Kafka's name of the topic whose partitions are shared out. */
  readonly topic: string;
  /** What is held is to be let go: some of it is to be given back, or more is to come. */
  readonly onReassigned: () => void;
  /** The member was given up: others may have its partitions already. */
  readonly onLost: () => void;
}

const joining = 0;
const leaving = -1;
const failedDelayMs = 1_000;
/** Brokers ask for a word every 5 s; news of others are to come sooner. */
const heartbeatMsMax = 1_000;
/** After a change the coordinator soon has news: it is asked again sooner than it wants. */
const eagerMs = 50;

export class Membership {
  readonly #options: MembershipOptions;
  #epoch = joining;
  /** How often it was given up. */
  #incarnation = 0;
  /** Whoever has this id in the group is an earlier self; later it would be a later one. */
  #isFirst = true;
  #topicId: string | undefined;
  /** As the coordinator last said. */
  #assigned: readonly number[] = [];
  /** As this member says. */
  #held: readonly number[] = [];
  /** What is held is in use: it is not changed before it is let go. */
  #inUse = false;
  #failure: RdgError | undefined;
  #delayMs = eagerMs;
  readonly #wake = new Wake();
  readonly #left = new AbortController();
  #waiting: (() => void)[] = [];
  readonly #running: Promise<void>;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** The partitions that are this member's turn, as soon as there are some. They stay so until `letGo`, or until it is told that they are lost. */
  async take(signal?: AbortSignal): Promise<readonly number[]> {
    for (;;) {
      signal?.throwIfAborted();
      this.#left.signal.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#epoch > joining && this.#held.length > 0 && same(this.#held, this.#assigned)) break;
      await this.#news(signal);
    }
    this.#inUse = true;
    return this.#held;
  }

  /**
   * Says who commits: asked before every commit, because the coordinator raises the epoch while others come and go. What was taken before the member was given
   * up can be committed no more, also when it is a member again.
   */
  committer(): () => number {
    const incarnation = this.#incarnation;
    return () => {
      if (this.#incarnation === incarnation) return this.#epoch;
      throw fenced("Worker", this.#options.memberId);
    };
  }

  letGo(): void {
    this.#inUse = false;
    this.#adopt();
  }

  /** Resolves when the coordinator was asked again. */
  async refreshed(): Promise<void> {
    this.#wake.ring();
    await this.#news();
  }

  /** Others have the partitions at once. */
  async leave(): Promise<void> {
    this.#left.abort(logClosed());
    this.#wake.ring();
    await this.#running;
    this.#tell();
    // If it cannot be said, the session ends by itself.
    if (this.#epoch > joining) await this.#send(leaving, []).catch(() => undefined);
  }

  async #run(): Promise<void> {
    const { signal } = this.#left;
    while (!signal.aborted) {
      let delayMs = failedDelayMs;
      try {
        if (this.#isFirst) await this.#send(leaving, []).catch(() => undefined);
        delayMs = await this.#heartbeat();
        this.#isFirst = false;
        this.#failure = undefined;
      } catch (error) {
        if (signal.aborted) return;
        const wasMember = this.#epoch > joining;
        const names = errorNames(error);
        const isFenced = names.includes("FENCED_MEMBER_EPOCH");
        if (wasMember && (isFenced || names.includes("UNKNOWN_MEMBER_ID"))) {
          this.#lose();
          continue;
        }
        this.#failure = isFenced ? fenced("Worker", this.#options.memberId, error) : (error as RdgError);
      }
      this.#tell();
      const cancel = this.#options.cluster.timers.after(delayMs, () => this.#wake.ring());
      await this.#wake.wait();
      cancel();
    }
  }

  /** @returns when the next one is due, in ms */
  async #heartbeat(): Promise<number> {
    const { cluster, groupId, topic } = this.#options;
    const { signal } = this.#left;
    const send = async (): Promise<HeartbeatAnswer> => {
      this.#topicId ??= await cluster.topicId(topic);
      return await this.#send(this.#epoch, this.#held);
    };
    const answer = await cluster.retrying("take part in a group", groupId, send, signal);
    this.#epoch = answer.memberEpoch;
    if (answer.assignment !== null) {
      const mine = answer.assignment.topicPartitions.find(({ topicId }) => topicId === this.#topicId);
      this.#assigned = [...(mine?.partitions ?? [])].sort((a, b) => a - b);
    }
    this.#adopt();
    this.#delayMs = Math.min(2 * this.#delayMs, answer.heartbeatIntervalMs, heartbeatMsMax);
    return this.#delayMs;
  }

  async #send(epoch: number, held: readonly number[]): Promise<HeartbeatAnswer> {
    const { cluster, groupId, memberId, topic } = this.#options;
    const holds = held.length === 0 ? [] : [{ topicId: this.#topicId!, partitions: [...held] }];
    return await heartbeat(cluster, { groupId, memberId, epoch, topics: [topic], holds });
  }

  /** Holds what is assigned, once nothing else is in use, and says so. */
  #adopt(): void {
    if (same(this.#held, this.#assigned)) return;
    if (this.#inUse) return this.#options.onReassigned();
    this.#held = this.#assigned;
    this.#delayMs = eagerMs;
    this.#wake.ring();
  }

  #lose(): void {
    this.#epoch = joining;
    this.#incarnation++;
    this.#delayMs = eagerMs;
    this.#assigned = [];
    this.#held = [];
    if (this.#inUse) this.#options.onLost();
    this.#inUse = false;
  }

  #news(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const told = (): void => {
        signal?.removeEventListener("abort", told);
        resolve();
      };
      this.#waiting.push(told);
      signal?.addEventListener("abort", told);
    });
  }

  #tell(): void {
    for (const told of this.#waiting.splice(0)) told();
  }
}

type HeartbeatAnswer = Awaited<ReturnType<typeof consumerGroupHeartbeatV1.api.async>>;

interface Heartbeat {
  readonly groupId: string;
  readonly memberId: string;
  readonly epoch: number;
  readonly topics: string[];
  readonly holds: { topicId: string; partitions: number[] }[];
}

async function heartbeat(
  cluster: KafkaCluster,
  { groupId, memberId, epoch, topics, holds }: Heartbeat,
): Promise<HeartbeatAnswer> {
  const coordinator = await cluster.coordinator("group", groupId);
  const { rebalanceTimeoutMs } = cluster.settings;
  const [instance, rack, pattern, assignor] = [null, null, null, null];
  return await consumerGroupHeartbeatV1.api.async(
    coordinator,
    groupId,
    memberId,
    epoch,
    instance,
    rack,
    rebalanceTimeoutMs,
    topics,
    pattern,
    assignor,
    holds,
  );
}

/** In place of a member that says nothing any more: its partitions are others' turn at once, and what it commits is refused. */
export async function giveUpMember(cluster: KafkaCluster, groupId: string, memberId: string): Promise<void> {
  await cluster
    .retrying("give up a member", groupId, () =>
      heartbeat(cluster, { groupId, memberId, epoch: leaving, topics: [], holds: [] }),
    )
    .catch((error: unknown) => {
      const names = errorNames(error);
      // It has left, or others have given it up.
      if (!names.includes("UNKNOWN_MEMBER_ID") && !names.includes("GROUP_ID_NOT_FOUND")) throw error;
    });
}

const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((partition, i) => partition === b[i]);
