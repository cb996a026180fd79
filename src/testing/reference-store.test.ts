import { storeConformance } from "../store/conformance.ts";
import { referenceStore } from "./reference-store.ts";

storeConformance("reference", async (model, clock) => referenceStore({ model, clock }));
