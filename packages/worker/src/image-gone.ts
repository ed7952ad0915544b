/** A container's image, or a layer of it, is not here: nobody's fault, and mended by making the image again. */
import { PlatformError } from "@lydian/kit";

export class ImageGoneError extends PlatformError {}
