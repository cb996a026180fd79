// Events of the streaming service in the forms the generator works with: numbers, and the objects that they stand for.

export const actions = ["start", "progress", "stop"] as const;
export const countries = ["US", "BR", "IN", "DE", "GB", "JP", "FR", "MX", "KR", "ES", "PL", "NG"] as const;

/** A playback event in numbers; -1 is absent. Names are made of them when they are written. */
export interface PlaybackNumbers {
  account: number;
  profile: number;
  /** The account that the device belongs to, and which of its devices it is. */
  deviceAccount: number;
  device: number;
  title: number;
  action: number;
  positionMs: number;
  country: number;
  atMs: number;
}

export interface PlaybackEvent {
  readonly accountId: string;
  readonly profileId: string;
  readonly deviceId: string;
  readonly titleId?: string;
  readonly action: (typeof actions)[number];
  readonly positionMs: number;
  readonly country?: string;
  readonly at: string;
}

export interface AccountClosed {
  readonly accountId: string;
  readonly at: string;
}

const digits = (number: number, width: number): string => String(number).padStart(width, "0");
/** The names of accounts and titles, as events and the catalogue have them. */
export const accountId = (account: number): string => `acc-${digits(account, 8)}`;
export const titleId = (title: number): string => `title-${digits(title, 6)}`;

/** The event as a client would send it. */
export function describe(numbers: PlaybackNumbers): PlaybackEvent {
  const account = accountId(numbers.account);
  return {
    accountId: account,
    profileId: `${account}-p${numbers.profile}`,
    deviceId: `device-${digits(numbers.deviceAccount, 8)}-${numbers.device}`,
    ...(numbers.title >= 0 && { titleId: titleId(numbers.title) }),
    action: actions[numbers.action]!,
    positionMs: numbers.positionMs,
    ...(numbers.country >= 0 && { country: countries[numbers.country]! }),
    at: new Date(numbers.atMs).toISOString(),
  };
}

export function emptyNumbers(): PlaybackNumbers {
  // A time that is no small integer from the start keeps the field a double: nothing is allocated when it is set.
  return {
    account: 0,
    profile: 0,
    deviceAccount: 0,
    device: 0,
    title: -1,
    action: 0,
    positionMs: 0,
    country: -1,
    atMs: 0.5,
  };
}

export function copyNumbers(from: PlaybackNumbers, to: PlaybackNumbers): void {
  to.account = from.account;
  to.profile = from.profile;
  to.deviceAccount = from.deviceAccount;
  to.device = from.device;
  to.title = from.title;
  to.action = from.action;
  to.positionMs = from.positionMs;
  to.country = from.country;
  to.atMs = from.atMs;
}
