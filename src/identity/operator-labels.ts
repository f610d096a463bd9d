type Labels = Readonly<Record<string, string>>;

const COMPOSE = "com.docker.compose.";

/** Compose puts these on each container it makes and on no image. */
const MADE_BY_COMPOSE = [`${COMPOSE}config-hash`, `${COMPOSE}container-number`];

/**
 * The labels of a container that are its operator's word: those that its image does not carry with the same value. Who builds an image
 * does not choose roles. Compose labels the images it builds as it labels the containers it makes, with the same project and service,
 * so all its labels count as soon as one that only Compose can have put there is the container's own.
 */
export function operatorLabels(container: Labels, image: Labels): Labels {
  const isOwn = (key: string) => Object.hasOwn(container, key) && !(Object.hasOwn(image, key) && image[key] === container[key]);
  const isMadeByCompose = MADE_BY_COMPOSE.some(isOwn);
  return Object.fromEntries(Object.entries(container).filter(([key]) => isOwn(key) || (isMadeByCompose && key.startsWith(COMPOSE))));
}
