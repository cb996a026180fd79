// Members of a streaming service at work: playback events that are the same for the same seed on every machine, as JSON lines or as objects.
// Hot path (`write`): more than a million lines a second on one core, nothing allocated per event, so that a benchmark measures what receives them.
//
// Members start a title, watch on, stop; titles are chosen by Zipf's law. 5 % of the events come late, by up to 10 minutes, all of them a little out of order;
// some come twice, as from clients that try again; some have no title (browsing) or no country. Now and then an account is closed.
import { Chance, zipf } from "./chance.ts";
import { LineWriter } from "./line-writer.ts";
import {
  type AccountClosed,
  accountId,
  copyNumbers,
  countries,
  describe,
  emptyNumbers,
  type PlaybackEvent,
  type PlaybackNumbers,
  titleId,
} from "./playback-event.ts";

export interface GeneratorOptions {
  readonly seed?: number;
  readonly accounts?: number;
  readonly titles?: number;
  /** Time of the first event, in milliseconds since the epoch. */
  readonly startMs?: number;
  /** Event time between two events, in milliseconds, fractional. */
  readonly intervalMs?: number;
  /** Shares of all events, from 0 to 1. */
  readonly late?: number;
  readonly duplicated?: number;
  /** One account is closed per this many events; 0: never. */
  readonly closingEvery?: number;
}

export const generatorDefaults = {
  seed: 1,
  accounts: 200_000,
  titles: 20_000,
  startMs: Date.UTC(2026, 0, 1),
  intervalMs: 0.1,
  late: 0.05,
  duplicated: 0.005,
  closingEvery: 20_000,
} as const satisfies Required<GeneratorOptions>;

export interface CatalogueRow {
  readonly titleId: string;
  readonly name: string;
  readonly kind: "film" | "episode" | "game";
}

const sessionsMax = 65_536;
const rememberedMax = 256;
const lateByMsMax = 600_000;
const jitterMs = 2000;
const idle = -2;

export class PlaybackGenerator {
  readonly #options: Required<GeneratorOptions>;
  readonly #chance: Chance;
  readonly #titles: (chance: Chance) => number;
  readonly #writer = new LineWriter();
  readonly #lateBelow: number;
  readonly #duplicatedBelow: number;
  #index = 0;
  /** Title of the session in each slot, or `idle`; what else there is of it. */
  readonly #sessionTitle = new Int32Array(sessionsMax).fill(idle);
  readonly #sessionAccount = new Int32Array(sessionsMax);
  readonly #sessionProfile = new Uint8Array(sessionsMax);
  readonly #sessionDevice = new Uint8Array(sessionsMax);
  readonly #sessionPositionMs = new Int32Array(sessionsMax);
  readonly #closed: Uint8Array;
  #closings: AccountClosed[] = [];
  /** The last events, for repeating one. */
  readonly #remembered: readonly PlaybackNumbers[] = Array.from({ length: rememberedMax }, emptyNumbers);

  constructor(options: GeneratorOptions = {}) {
    this.#options = { ...generatorDefaults, ...options };
    const { seed, titles, accounts, late, duplicated } = this.#options;
    this.#chance = new Chance(seed);
    this.#titles = zipf(titles);
    this.#closed = new Uint8Array(accounts);
    this.#lateBelow = Math.round(late * 65_536);
    this.#duplicatedBelow = Math.round(duplicated * 65_536);
  }

  /** Writes the next events as JSON lines from `offset` on, which needs `events * lineBytesMax` bytes; gives where they end. */
  write(target: Uint8Array, offset: number, events: number): number {
    let end = offset;
    for (let i = 0; i < events; i++) end = this.#writer.write(target, end, this.next());
    return end;
  }

  /** The next event as an object. */
  event(): PlaybackEvent {
    return describe(this.next());
  }

  /** The next event in numbers; the same object is filled again later. */
  next(): PlaybackNumbers {
    const index = this.#index++;
    const { startMs, intervalMs, closingEvery } = this.#options;
    const nowMs = startMs + index * intervalMs;
    if (closingEvery > 0 && index % closingEvery === closingEvery - 1) this.#closeAccount(nowMs);
    const numbers = this.#remembered[index % rememberedMax]!;
    const chosen = this.#chance.next();
    if (chosen >>> 16 < this.#duplicatedBelow && index > 0) {
      const back = 1 + this.#chance.below(Math.min(index, rememberedMax - 1));
      copyNumbers(this.#remembered[(index - back) % rememberedMax]!, numbers);
      return numbers;
    }
    this.#play(chosen & (sessionsMax - 1), numbers);
    const when = this.#chance.next();
    const lateByMs = (when & 0xffff) < this.#lateBelow ? this.#chance.below(lateByMsMax) : (when >>> 16) % jitterMs;
    numbers.atMs = Math.floor(nowMs) - lateByMs;
    return numbers;
  }

  /** The accounts closed since the last call. None of them has an event with a later time. */
  takeClosings(): readonly AccountClosed[] {
    const taken = this.#closings;
    if (taken.length > 0) this.#closings = [];
    return taken;
  }

  #play(slot: number, into: PlaybackNumbers): void {
    const account = this.#sessionAccount[slot]!;
    if (this.#sessionTitle[slot] === idle || this.#closed[account] === 1) {
      this.#startSession(slot);
      into.action = 0;
    } else {
      const chosen = this.#chance.next();
      const stops = (chosen & 0xff) < 85;
      into.action = stops ? 2 : 1;
      this.#sessionPositionMs[slot]! += 10_000 + ((chosen >>> 8) % 60_000);
    }
    this.#describeSession(slot, into);
    if (into.action === 2) this.#sessionTitle[slot] = idle;
  }

  #startSession(slot: number): void {
    const chance = this.#chance;
    let account = chance.below(this.#options.accounts);
    while (this.#closed[account] === 1) account = (account + 1) % this.#options.accounts;
    const traits = mix(account);
    const chosen = chance.next();
    this.#sessionAccount[slot] = account;
    this.#sessionProfile[slot] = (chosen & 0xff) % (1 + (traits & 3));
    this.#sessionDevice[slot] = ((chosen >>> 8) & 0xff) % (1 + ((traits >>> 2) % 5));
    // One session in 64 is browsing: there is no title.
    this.#sessionTitle[slot] = chosen >>> 26 === 0 ? -1 : this.#titles(chance);
    // One in four goes on where an earlier one stopped.
    this.#sessionPositionMs[slot] = ((chosen >>> 16) & 3) === 0 ? chance.below(3_600_000) : 0;
  }

  #describeSession(slot: number, into: PlaybackNumbers): void {
    const account = this.#sessionAccount[slot]!;
    const traits = mix(account);
    const chosen = this.#chance.next();
    into.account = account;
    into.profile = this.#sessionProfile[slot]!;
    into.device = this.#sessionDevice[slot]!;
    // Some households share the devices of one account.
    into.deviceAccount = (traits >>> 8) % 16 === 0 ? account - (account % 3) : account;
    into.title = this.#sessionTitle[slot]!;
    into.positionMs = this.#sessionPositionMs[slot]!;
    const share = chosen & 0xff;
    // Mostly at home; 4 % unknown, 2 % abroad.
    into.country = share < 10 ? -1 : share < 15 ? (chosen >>> 8) % countries.length : homeOf(traits);
  }

  #closeAccount(nowMs: number): void {
    const account = this.#chance.below(this.#options.accounts);
    if (this.#closed[account] === 1) return;
    // One stays open, so that there always is somebody to play.
    if (account === 0) return;
    this.#closed[account] = 1;
    this.#closings.push({ accountId: accountId(account), at: new Date(Math.floor(nowMs) + 1).toISOString() });
  }
}

/** The catalogue: a row per title, but for one in a hundred, whose row is missing. */
export function* catalogueRows(titles: number = generatorDefaults.titles): Generator<CatalogueRow> {
  for (let title = 0; title < titles; title++) {
    if (title % 100 === 99) continue;
    const traits = mix(title + 0x5bd1e995);
    const name = `${adjectives[traits % adjectives.length]!} ${nouns[(traits >>> 8) % nouns.length]!}`;
    const kind = (traits >>> 16) % 10 === 0 ? "game" : (traits >>> 16) % 10 < 4 ? "film" : "episode";
    yield { titleId: titleId(title), name: kind === "episode" ? `${name}, part ${1 + (title % 12)}` : name, kind };
  }
}

const adjectives = [
  "Silent",
  "Crimson",
  "Last",
  "Hidden",
  "Electric",
  "Distant",
  "Broken",
  "Golden",
  "Étrange",
  "Kühle",
];
const nouns = ["Harbour", "Signal", "Garden", "Empire", "Winter", "Mirror", "Voyage", "Orchard", "Labyrinthe", "夜"];

/** Small countries have fewer members: the smaller of two choices. */
function homeOf(traits: number): number {
  return Math.min((traits >>> 12) % countries.length, (traits >>> 20) % countries.length);
}

/** Traits of an account or title: a well-mixed number that only depends on it (finaliser of MurmurHash3, public domain). */
function mix(number: number): number {
  let mixed = number + 0x9e3779b9;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
