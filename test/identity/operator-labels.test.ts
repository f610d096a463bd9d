import { expect, test } from "vitest";
import { operatorLabels } from "../../src/identity/operator-labels.ts";

const PROJECT = { "com.docker.compose.project": "shop", "com.docker.compose.service": "web" };

type Labels = Readonly<Record<string, string>>;

test.for<{ name: string; container: Labels; image: Labels; counted: Labels }>([
  { name: "a label that the operator set counts", container: { role: "web" }, image: {}, counted: { role: "web" } },
  { name: "a label that the image brought does not", container: { role: "admin" }, image: { role: "admin" }, counted: {} },
  { name: "one that overrides the image's counts", container: { role: "web" }, image: { role: "admin" }, counted: { role: "web" } },
  {
    name: "Compose's labels count on a container that Compose made, though it labelled the image too",
    container: { ...PROJECT, "com.docker.compose.config-hash": "abc", vendor: "x" },
    image: { ...PROJECT, vendor: "x" },
    counted: { ...PROJECT, "com.docker.compose.config-hash": "abc" },
  },
  { name: "Compose's labels of an image alone do not count", container: PROJECT, image: PROJECT, counted: {} },
  {
    name: "nor those of an image that plays a whole Compose container",
    container: { ...PROJECT, "com.docker.compose.config-hash": "abc" },
    image: { ...PROJECT, "com.docker.compose.config-hash": "abc" },
    counted: {},
  },
  {
    name: "names of JavaScript's own are labels like others",
    container: { constructor: "x", toString: "y" },
    image: { toString: "y" },
    counted: { constructor: "x" },
  },
])("$name", ({ container, image, counted }) => expect(operatorLabels(container, image)).toEqual(counted));
