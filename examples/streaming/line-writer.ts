// Writes a playback event as a JSON line into bytes: copies what is the same in every line, and writes digits into it. Hot path: no string, nothing allocated.
import { actions, countries, type PlaybackNumbers } from "./playback-event.ts";

/** No line is longer. */
export const lineBytesMax = 256;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The beginning of each line, and where its digits belong. */
const beginning = '{"accountId":"acc-AAAAAAAA","profileId":"acc-BBBBBBBB-pP","deviceId":"device-CCCCCCCC-D"';
const beginningBytes = bytes(beginning);
const accountAt = beginning.indexOf("AAAAAAAA");
const profileAccountAt = beginning.indexOf("BBBBBBBB");
const profileAt = beginning.indexOf("pP") + 1;
const deviceAccountAt = beginning.indexOf("CCCCCCCC");
const deviceAt = beginning.lastIndexOf("D");

const title = ',"titleId":"title-TTTTTT"';
const titleBytes = bytes(title);
const titleAt = title.indexOf("TTTTTT");

const actionBytes = actions.map((action) => bytes(`,"action":"${action}","positionMs":`));
const countryBytes = countries.map((country) => bytes(`,"country":"${country}"`));

const ending = ',"at":"YYYY-MM-DDTHH:MM:SS.mmmZ"}\n';
const timeAt = ending.indexOf("HH");
const dayAt = ending.indexOf("YYYY");

const zero = 48;
const msPerDay = 86_400_000;

export class LineWriter {
  readonly #ending = bytes(ending);
  /** The day that `#ending` says; none at first. */
  #day = Number.NaN;

  /** Gives where the line ends. */
  write(target: Uint8Array, offset: number, event: PlaybackNumbers): number {
    target.set(beginningBytes, offset);
    writeDigits(target, offset + accountAt, 8, event.account);
    target.copyWithin(offset + profileAccountAt, offset + accountAt, offset + accountAt + 8);
    target[offset + profileAt] = zero + event.profile;
    writeDigits(target, offset + deviceAccountAt, 8, event.deviceAccount);
    target[offset + deviceAt] = zero + event.device;
    let end = offset + beginningBytes.length;
    if (event.title >= 0) {
      target.set(titleBytes, end);
      writeDigits(target, end + titleAt, 6, event.title);
      end += titleBytes.length;
    }
    const action = actionBytes[event.action]!;
    target.set(action, end);
    end += action.length;
    const positionLength = digitCount(event.positionMs);
    writeDigits(target, end, positionLength, event.positionMs);
    end += positionLength;
    if (event.country >= 0) {
      const country = countryBytes[event.country]!;
      target.set(country, end);
      end += country.length;
    }
    return this.#writeEnding(target, end, event.atMs);
  }

  #writeEnding(target: Uint8Array, offset: number, atMs: number): number {
    const day = Math.floor(atMs / msPerDay);
    if (day !== this.#day) {
      this.#day = day;
      this.#ending.set(bytes(new Date(day * msPerDay).toISOString().slice(0, 10)), dayAt);
    }
    target.set(this.#ending, offset);
    let rest = atMs - day * msPerDay;
    const hour = (rest / 3_600_000) | 0;
    rest -= hour * 3_600_000;
    const minute = (rest / 60_000) | 0;
    rest -= minute * 60_000;
    const second = (rest / 1000) | 0;
    const at = offset + timeAt;
    writeDigits(target, at, 2, hour);
    writeDigits(target, at + 3, 2, minute);
    writeDigits(target, at + 6, 2, second);
    writeDigits(target, at + 9, 3, rest - second * 1000);
    return offset + this.#ending.length;
  }
}

function writeDigits(target: Uint8Array, offset: number, width: number, number: number): void {
  let rest = number | 0;
  for (let at = offset + width - 1; at >= offset; at--) {
    const quotient = (rest / 10) | 0;
    target[at] = zero + rest - quotient * 10;
    rest = quotient;
  }
}

function digitCount(number: number): number {
  let count = 1;
  for (let bound = 10; number >= bound; bound *= 10) count++;
  return count;
}
