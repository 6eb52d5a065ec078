/**
 * MembersFile: what a node knows of the members, as the payload of its state file. Down members are in it too: a node
 * that forgot them over a restart would never look for them again (Scylla issue 6088). The node's own incarnations are
 * leased through it: none is shown before a number above it is on disk, so none is ever shown twice.
 */
import { decode, encode, type Fields } from "../wire/codec.ts";
import { MembersFile as MembersFileCodec, type MemberUpdate } from "../wire/gen/codecs.ts";
import type { Update } from "./member.ts";
import { messageOf, updateOf } from "./packets.ts";

/** What the file holds. */
export interface StoredMembers {
  /** No own incarnation above it was ever shown. */
  readonly incarnationTop: number;
  readonly members: readonly Update[];
}

/** What a node without a file starts from. */
export const noStoredMembers: StoredMembers = { incarnationTop: 0, members: [] };

/** The payload; memory of its own. */
export function encodeMembers(incarnationTop: number, members: readonly Update[]): Uint8Array {
  const messages: Fields<MemberUpdate>[] = members.map((member) => messageOf(member, false));
  return encode(MembersFileCodec, { incarnationTop, members: messages });
}

/** Reads a payload; throws `WireError` if it is none. Rows that make no sense are left out. */
export function decodeMembers(bytes: Uint8Array): StoredMembers {
  const { incarnationTop, members } = decode(MembersFileCodec, bytes, 0, bytes.length);
  const updates: Update[] = [];
  for (const message of members) {
    const update = updateOf(message);
    if (update !== undefined && update.address !== "") updates.push(update);
  }
  return { incarnationTop, members: updates };
}
