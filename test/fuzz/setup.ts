// With FUZZ_SEED every property test of the run takes that seed instead of one by chance; it is what a failure prints.
import * as fc from "fast-check";

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env["FUZZ_SEED"]) });
