// Flattens descriptors into facts: what each name of the wire is, in one comparable line.

import { isFieldSet } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  type FieldDescriptorProto,
  FieldDescriptorProtoSchema,
  type FileDescriptorProto,
} from "@bufbuild/protobuf/wkt";

/** A name with a number (field, enum value) inside an owner (message, enum), or without one (RPC, the owner itself). */
export interface Fact {
  /** Full name of what it belongs to. */
  readonly owner: string;
  readonly name: string;
  readonly number?: number;
  /** Everything else that must match. */
  readonly shape: string;
}

function nameOf(values: object, value: unknown): string {
  return (
    Object.entries(values)
      .find(([, v]) => v === value)?.[0]
      ?.toLowerCase() ?? String(value)
  );
}

function fieldFact(owner: string, message: DescriptorProto, field: FieldDescriptorProto): Fact {
  const words = [field.proto3Optional ? "optional" : nameOf(Label, field.label), nameOf(Type, field.type)];
  if (field.typeName !== "") words.push(field.typeName.slice(1));
  // The compiler wraps an optional field in a oneof of its own; that is no fact of the wire.
  if (isFieldSet(field, FieldDescriptorProtoSchema.field.oneofIndex) && !field.proto3Optional) {
    words.push(`in oneof ${message.oneofDecl[field.oneofIndex]?.name}`);
  }
  return { owner, name: field.name, number: field.number, shape: words.join(" ") };
}

function* enumFacts(scope: string, descriptor: EnumDescriptorProto): Generator<Fact> {
  const owner = `${scope}.${descriptor.name}`;
  yield { owner: scope, name: descriptor.name, shape: "enum" };
  for (const value of descriptor.value) yield { owner, name: value.name, number: value.number, shape: "value" };
}

function* messageFacts(scope: string, message: DescriptorProto): Generator<Fact> {
  const owner = `${scope}.${message.name}`;
  yield { owner: scope, name: message.name, shape: message.options?.mapEntry ? "map entry" : "message" };
  for (const field of message.field) yield fieldFact(owner, message, field);
  for (const nested of message.enumType) yield* enumFacts(owner, nested);
  for (const nested of message.nestedType) yield* messageFacts(owner, nested);
}

/** Every fact of one file. */
export function* factsOf(file: FileDescriptorProto): Generator<Fact> {
  for (const descriptor of file.enumType) yield* enumFacts(file.package, descriptor);
  for (const message of file.messageType) yield* messageFacts(file.package, message);
  for (const service of file.service) {
    yield { owner: file.package, name: service.name, shape: "service" };
    for (const method of service.method) {
      const input = `${method.clientStreaming ? "stream " : ""}${method.inputType.slice(1)}`;
      const output = `${method.serverStreaming ? "stream " : ""}${method.outputType.slice(1)}`;
      yield { owner: `${file.package}.${service.name}`, name: method.name, shape: `(${input}) returns (${output})` };
    }
  }
}

/** A client's facts, to be found by name or by number. */
export class FactIndex {
  readonly #byName = new Map<string, Fact>();
  readonly #byNumber = new Map<string, Fact[]>();

  constructor(files: Iterable<FileDescriptorProto>) {
    for (const file of files) for (const fact of factsOf(file)) this.#add(fact);
  }

  #add(fact: Fact): void {
    this.#byName.set(`${fact.owner}.${fact.name}`, fact);
    if (fact.number === undefined) return;
    const key = `${fact.owner}#${fact.number}`;
    this.#byNumber.set(key, [...(this.#byNumber.get(key) ?? []), fact]);
  }

  named(fact: Fact): Fact | undefined {
    return this.#byName.get(`${fact.owner}.${fact.name}`);
  }

  fieldsOf(message: string): readonly Fact[] {
    return [...this.#byName.values()].filter(({ owner, number }) => owner === message && number !== undefined);
  }

  numbered(fact: Fact): readonly Fact[] {
    return this.#byNumber.get(`${fact.owner}#${fact.number}`) ?? [];
  }
}

function describe(fact: Fact): string {
  return fact.number === undefined ? fact.shape : `${fact.shape} = ${fact.number}`;
}

/** What one client says against one of our facts; nothing when it agrees or does not know the name. */
export function contradiction(ours: Fact, client: FactIndex): string | undefined {
  const full = `${ours.owner}.${ours.name}`;
  const theirs = client.named(ours);
  if (theirs !== undefined) {
    if (describe(theirs) === describe(ours)) return undefined;
    return `${full}: ours is "${describe(ours)}", the client's "${describe(theirs)}"`;
  }
  const others = ours.number === undefined ? [] : client.numbered(ours);
  if (others.length === 0) return undefined;
  return `${full}: its number ${ours.number} is ${others.map((other) => other.name).join(", ")} in the client`;
}
