// Vue: tell the compiler that the tag is no component (`isCustomElement`); with render functions there is nothing to tell.
import "@tidegate/player";
import { createApp, h, ref } from "vue";

const Watch = {
  props: ["src"],
  setup(props) {
    const status = ref("idle");
    return () => [
      h("tidegate-player", { src: props.src, controls: true, autoplay: true, muted: true, onStatuschange: (event) => (status.value = event.target.status) }),
      h("p", status.value),
    ];
  },
};

createApp(Watch, { src: "/vod/index.m3u8" }).mount("#root");
