// <tidegate-player> as a component: properties, events as onPlaying and the like, and a ref to the element.
import { createElement } from "react";
import "./index.js";

export function TidegatePlayer(props) {
  return createElement("tidegate-player", props);
}
