import assert from "node:assert/strict";
import { it } from "node:test";

import { parseMountInfo, pointsToDetach } from "../../src/layers/mount-table.ts";

const text = String.raw`22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / /run/c/a/root rw,nodev - overlay overlay rw,lowerdir=/x
31 30 254:0 /s /run/c/a/root/with\040space\134and\011tab rw master:3 - ext4 /dev/vda rw
32 31 254:0 /s /run/c/a/root/with\040space\134and\011tab/below rw - ext4 /dev/vda rw
33 22 0:41 / /run/c/ab rw - tmpfs t rw
34 30 0:42 / /run/c/a/root rw - overlay overlay rw
`;

it("reads mount points with any characters in them", () => {
  assert.deepEqual(
    parseMountInfo(text).map(({ id, parent, point }) => [id, parent, point]),
    [
      [22, 1, "/"],
      [30, 22, "/run/c/a/root"],
      [31, 30, "/run/c/a/root/with space\\and\ttab"],
      [32, 31, "/run/c/a/root/with space\\and\ttab/below"],
      [33, 22, "/run/c/ab"],
      [34, 30, "/run/c/a/root"],
    ],
  );
});

it("detaches the outermost mounts, as often as they are stacked, and names none inside a container", () => {
  const entries = parseMountInfo(text);
  assert.deepEqual(pointsToDetach(entries, "/run/c/a", false), ["/run/c/a/root", "/run/c/a/root"]);
  assert.deepEqual(pointsToDetach(entries, "/run/c/a/root", true), ["/run/c/a/root", "/run/c/a/root"]);
  // Below a mount that stays, those right below it are the outermost.
  const below = "/run/c/a/root/with space\\and\ttab";
  assert.deepEqual(pointsToDetach(entries, "/run/c/a/root", false), [below]);
  assert.deepEqual(pointsToDetach(entries, "/run/c", false), ["/run/c/a/root", "/run/c/ab", "/run/c/a/root"]);
  assert.deepEqual(pointsToDetach(entries, "/run/c/b", true), []);
});
