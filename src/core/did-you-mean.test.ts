// Suggestions for misspelt names.
import { expect, test } from "vitest";
import { didYouMean } from "./did-you-mean.ts";

test("suggests the nearest name, or lists what is allowed", () => {
  const names = ["account", "profile", "title"];
  expect(didYouMean("acount", names)).toBe('Did you mean "account"?');
  expect(didYouMean("TITEL", names)).toBe('Did you mean "title"?');
  expect(didYouMean("zzz", names)).toBe("Allowed: account, profile, title.");
  expect(didYouMean("zzz", names, 2)).toBe("Allowed: account, profile, and 1 more.");
  expect(didYouMean("x", [])).toBe("");
  expect(didYouMean("a".repeat(1e6), names)).toContain("Allowed");
});
