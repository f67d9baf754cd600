// Store holds one value and tells its listeners when it changes.
export class Store extends EventTarget {
  #value;

  constructor(value) {
    super();
    this.#value = value;
  }

  get value() {
    return this.#value;
  }

  set value(value) {
    this.#value = value;
    this.dispatchEvent(new Event("change"));
  }

  // watch calls back now and after every change.
  watch(callback) {
    callback(this.#value);
    this.addEventListener("change", () => callback(this.#value));
  }
}
