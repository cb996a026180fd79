// A job's worker among others: its partitions come from a consumer group, and the group's offsets are committed in the transactions that publish windows.
import {
  ConfigResourceTypes,
  incrementalAlterConfigsV1,
  IncrementalAlterConfigOperationTypes,
  offsetFetchV8,
} from "@platformatic/kafka";
import type { Position } from "../../model/position.ts";
import type { JobAssignment, JobCounters, JobTransaction, JobWorker, TopicSettings } from "../port.ts";
import { Beats, beatsUntilSilent } from "./beats.ts";
import type { KafkaCluster } from "./cluster.ts";
import { errorNames, fenced, logClosed } from "./failures.ts";
import { isOpen, lookAgainMs } from "./growth.ts";
import { type JobOutputOptions, jobsPlace, KafkaJobOutput } from "./job-output.ts";
import { committedStates, decodeState, openStates } from "./job-state.ts";
import { giveUpMember, Membership } from "./membership.ts";
import { Owner } from "./owner.ts";
import { decodePartitionState, keyOf, PartitionedProgress, type PartitionState } from "./partition-state.ts";
import type { PlainSender } from "./plain-sender.ts";

type State = Omit<PartitionState, "worker">;
type States = ReadonlyMap<number, State>;

export interface JobWorkerOptions extends JobOutputOptions {
  readonly topic: TopicSettings;
  /** Of this process. */
  readonly instance: string;
  readonly sender: PlainSender;
}

/** A worker that leaves in order has its transaction decided before; what is open after this long is of one that died. */
const deadAfterMs = 300;
const undecidedPollMs = 5;
/** In a session. */
const heartbeats = 6;

export class KafkaJobWorker implements JobWorker {
  readonly #options: JobWorkerOptions;
  readonly #groupId: string;
  readonly #kafkaTopic: string;
  readonly #membership: Membership;
  readonly #beats: Beats | undefined;
  #open: Assignment | undefined;
  #left = false;

  private constructor(options: JobWorkerOptions, groupId: string, beats: Beats | undefined) {
    const { directory, cluster, topic, instance } = options;
    this.#options = options;
    this.#beats = beats;
    this.#groupId = groupId;
    this.#kafkaTopic = directory.turnsTopicOf(topic);
    this.#membership = new Membership({
      cluster,
      groupId: this.#groupId,
      memberId: instance,
      topic: this.#kafkaTopic,
      onReassigned: () => this.#open?.ends(),
      onLost: () => this.#open?.lost(),
    });
  }

  static async join(options: JobWorkerOptions): Promise<KafkaJobWorker> {
    const { cluster, directory, name, instance } = options;
    // What an earlier self left open is aborted before anybody waits for it.
    await Owner.take(cluster, transactionalId(options, instance));
    const { sessionTimeoutMs } = cluster.settings;
    const groupId = directory.kafkaName(`rdg.job.${name}`);
    const isWatched = sessionTimeoutMs === undefined || (await setSession(cluster, groupId, sessionTimeoutMs));
    const beats = isWatched ? undefined : await watchEachOther(options, groupId, sessionTimeoutMs);
    return new KafkaJobWorker(options, groupId, beats);
  }

  async assignment(signal?: AbortSignal): Promise<JobAssignment> {
    await this.#open?.close();
    for (;;) {
      if (this.#left) throw logClosed();
      const assigned = await this.#membership.take(signal);
      const partitions = await this.#openOf(assigned);
      const open = new Assignment(this.#options.name, assigned, partitions, this.#membership);
      this.#open = open;
      if (partitions.length === 0) {
        await open.close();
        await this.#options.cluster.timers.sleep(lookAgainMs, signal);
        continue;
      }
      try {
        await this.#prepare(open, signal);
      } catch (error) {
        await open.close();
        throw error;
      }
      if (!open.isLost) return open;
      await open.close();
    }
  }

  /** Told when the topic may have grown: what came with it is taken up as soon as it is its turn. */
  lookAgain(): void {
    const open = this.#open;
    if (open !== undefined && this.#known(open.assigned).length !== open.partitions.length) open.ends();
  }

  async #openOf(assigned: readonly number[]): Promise<readonly number[]> {
    if (assigned.some((partition) => partition >= this.#topic.partitions)) await this.#options.directory.reload();
    return this.#known(assigned);
  }

  /** Kafka shares out what came as soon as it is there; it is worked off when everybody goes by it. */
  #known(assigned: readonly number[]): readonly number[] {
    const [topic, nowMs] = [this.#topic, this.#options.cluster.clock.now()];
    return assigned.filter((partition) => isOpen(topic, partition, nowMs));
  }

  get #topic(): TopicSettings {
    const { directory, topic } = this.#options;
    return directory.known(topic.name) ?? topic;
  }

  async leave(): Promise<void> {
    this.#left = true;
    await this.#open?.close();
    await this.#membership.leave();
    this.#beats?.stop();
  }

  async #prepare(open: Assignment, signal: AbortSignal | undefined): Promise<void> {
    const { cluster, name, topic, instance } = this.#options;
    const owner = await Owner.take(cluster, transactionalId(this.#options, instance));
    const states = await this.#states(open.partitions, signal);
    const progress = new PartitionedProgress({
      cluster,
      owner,
      epoch: open.epoch,
      refreshed: () => this.#membership.refreshed(),
      instance,
      groupId: this.#groupId,
      job: name,
      topic: topic.name,
      kafkaTopic: this.#kafkaTopic,
      states,
    });
    const committed = [...states].flatMap(([partition, { offset }]): Position[] =>
      offset < 0 ? [] : [{ topic: topic.name, partition, offset }],
    );
    const counters = countersOf(states, Math.max(this.#topic.partitions, open.partitions.at(-1)! + 1));
    open.begin(new KafkaJobOutput(this.#options, { owner, progress, committed, counters }));
  }

  /** Of these partitions: what was committed for them last, by whomever. */
  async #states(partitions: readonly number[], signal: AbortSignal | undefined): Promise<States> {
    const { cluster, name, directory, topic } = this.#options;
    const offsets = await this.#stableOffsets(partitions, signal);
    const states = new Map<number, State>();
    for (const [partition, { metadata }] of offsets) {
      if (metadata !== "") states.set(partition, decodePartitionState(metadata));
    }
    const unknown = partitions.filter((partition) => !states.has(partition));
    if (unknown.length === 0) return states;
    // Kafka has forgotten the group after a week without members, or the job never ran so: with one owner, or not at all.
    const keys = new Set([name, ...unknown.map((partition) => keyOf(name, partition))]);
    const written = await committedStates(cluster, jobsPlace(directory), keys);
    const whole = written.get(name);
    const before = whole === undefined ? undefined : decodeState(whole);
    for (const partition of unknown) {
      const text = written.get(keyOf(name, partition));
      const own = before?.committed.find(
        (position) => position.topic === topic.name && position.partition === partition,
      );
      const counts = Object.entries(before?.counters ?? {}).map(([counter, all]) => [counter, all[partition] ?? 0]);
      const state =
        text === undefined
          ? { offset: own?.offset ?? -1, counters: Object.fromEntries(counts) as Record<string, number> }
          : decodePartitionState(text);
      // Offsets without counters were set by a tool.
      const set = offsets.get(partition)!.next;
      states.set(partition, set < 0 ? state : { ...state, offset: set - 1 });
    }
    return new Map([...states].sort(([a], [b]) => a - b));
  }

  /** The group's offsets once no transaction that would change them is open. */
  async #stableOffsets(partitions: readonly number[], signal: AbortSignal | undefined): Promise<Offsets> {
    const { cluster, directory, name, instance } = this.#options;
    const keys = new Set(partitions.map((partition) => keyOf(name, partition)));
    let sinceMs = cluster.clock.monotonicMs();
    for (;;) {
      const open = await openStates(cluster, jobsPlace(directory), keys);
      const offsets = await this.#offsets(partitions, signal);
      if (open.length === 0 && offsets !== undefined) return offsets;
      if (cluster.clock.monotonicMs() - sinceMs > deadAfterMs) {
        const workers = new Set(open.map((text) => decodePartitionState(text).worker));
        workers.delete(instance);
        for (const worker of workers) await Owner.take(cluster, transactionalId(this.#options, worker));
        sinceMs = cluster.clock.monotonicMs();
      }
      await cluster.timers.sleep(undecidedPollMs, signal);
    }
  }

  /** Undefined while one is about to change. */
  async #offsets(partitions: readonly number[], signal: AbortSignal | undefined): Promise<Offsets | undefined> {
    const { cluster } = this.#options;
    const asked = [{ name: this.#kafkaTopic, partitionIndexes: [...partitions] }];
    const group = { groupId: this.#groupId, memberId: null, memberEpoch: -1, topics: asked };
    const fetch = async (): Promise<Awaited<ReturnType<typeof offsetFetchV8.api.async>> | undefined> => {
      const coordinator = await cluster.coordinator("group", this.#groupId);
      return await offsetFetchV8.api.async(coordinator, [group], true).catch((error: unknown) => {
        if (errorNames(error).includes("UNSTABLE_OFFSET_COMMIT")) return undefined;
        throw error;
      });
    };
    const answer = await cluster.retrying("take over", this.#groupId, fetch, signal);
    const found = answer?.groups.flatMap(({ topics }) => topics.flatMap((of) => of.partitions));
    return (
      found &&
      new Map(
        found.map(({ partitionIndex, committedOffset, metadata }) => [
          partitionIndex,
          { next: Number(committedOffset), metadata: metadata ?? "" },
        ]),
      )
    );
  }
}

/** By partition. */
type Offsets = ReadonlyMap<number, { readonly next: number; readonly metadata: string }>;

const transactionalId = ({ directory, name }: JobWorkerOptions, instance: string): string =>
  directory.kafkaName(`rdg.worker.${name}.${instance}`);

function countersOf(states: States, partitions: number): JobCounters {
  const counters: Record<string, number[]> = {};
  for (const [partition, state] of states) {
    for (const [name, count] of Object.entries(state.counters)) {
      counters[name] ??= Array.from({ length: partitions }, () => 0);
      counters[name][partition] = count;
    }
  }
  return counters;
}

/** One turn of the worker's: an output for its partitions, until it is closed. */
class Assignment implements JobAssignment {
  readonly assigned: readonly number[];
  readonly partitions: readonly number[];
  isLost = false;
  readonly #name: string;
  readonly epoch: () => number;
  readonly #membership: Membership;
  readonly #ending = new AbortController();
  #output: KafkaJobOutput | undefined;
  #closing: Promise<void> | undefined;

  constructor(name: string, assigned: readonly number[], partitions: readonly number[], membership: Membership) {
    this.#name = name;
    this.assigned = assigned;
    this.partitions = partitions;
    this.#membership = membership;
    this.epoch = membership.committer();
  }

  get ending(): AbortSignal {
    return this.#ending.signal;
  }
  get committed(): JobAssignment["committed"] {
    return this.#output!.committed;
  }
  get counters(): JobCounters {
    return this.#output!.counters;
  }

  begin(output: KafkaJobOutput): void {
    this.#output = output;
    if (this.isLost) this.lost();
  }

  commit(transaction: JobTransaction): ReturnType<JobAssignment["commit"]> {
    return this.#output!.commit(transaction);
  }

  ends(): void {
    this.#ending.abort();
  }

  lost(): void {
    this.isLost = true;
    this.#output?.end(fenced("Job", this.#name));
    this.#ending.abort();
  }

  close(): Promise<void> {
    this.#closing ??= (async (): Promise<void> => {
      await this.#output?.close();
      this.#membership.letGo();
    })();
    return this.#closing;
  }
}

/** Of this group alone. False where brokers do not allow it: 45 s is the least unless they are told otherwise. */
async function setSession(cluster: KafkaCluster, groupId: string, timeoutMs: number): Promise<boolean> {
  const values = { "consumer.session.timeout.ms": timeoutMs, "consumer.heartbeat.interval.ms": timeoutMs / heartbeats };
  const configs = Object.entries(values).map(([name, value]) => ({
    name,
    configOperation: IncrementalAlterConfigOperationTypes.SET,
    value: String(Math.floor(value)),
  }));
  const resource = { resourceType: ConfigResourceTypes.GROUP, resourceName: groupId, configs };
  return await cluster.retrying("set a group's session timeout", groupId, async () => {
    const altered = incrementalAlterConfigsV1.api.async(await cluster.controller(), [resource], false);
    return await altered.then(
      () => true,
      (error: unknown) => {
        const names = errorNames(error);
        if (names.includes("INVALID_CONFIG") || names.includes("GROUP_AUTHORIZATION_FAILED")) return false;
        throw error;
      },
    );
  });
}

/** Whoever is silent for as long as a session may be is given up by those that watch, and what it left open is aborted. */
async function watchEachOther(options: JobWorkerOptions, group: string, silentMs: number): Promise<Beats> {
  const { cluster, directory, sender, instance } = options;
  return await Beats.start({
    cluster,
    sender,
    place: await directory.beatsPlace(group),
    group,
    member: instance,
    everyMs: silentMs / beatsUntilSilent,
    async onSilent(member) {
      await giveUpMember(cluster, group, member);
      await Owner.take(cluster, transactionalId(options, member));
    },
  });
}
