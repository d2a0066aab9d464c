import type { ImageFormat, KeptReason } from './image-result.ts';

/** What a header tells of an image, read before any pixel is decoded. */
export interface ImageFacts {
  readonly format: ImageFormat;
  readonly width: number;
  readonly height: number;
  /** Frames of an animation or pages; 1 for a still image. */
  readonly pages: number;
  readonly channels: number;
  readonly bitsPerChannel: number;
  readonly colour: 'grey' | 'rgb' | 'palette' | 'cmyk' | 'lab' | 'other';
  readonly alpha: boolean;
  readonly icc: boolean;
  /** EXIF orientation 1 to 8; 1 when there is none or it is invalid. */
  readonly orientation: number;
  readonly progressive: boolean;
  /** libjpeg quality estimated from the quantisation tables, JPEG only. */
  readonly sourceQuality?: number;
  readonly chromaSubsampling?: string;
  readonly lossless?: boolean;
  readonly gainMap: boolean;
  readonly multiPicture: boolean;
  readonly contentCredentials: boolean;
  /** Bytes after the end of the image that are no known structure. */
  readonly trailingBytes: number;
}

/** What to do with one image, decided from facts and settings before any pixel is touched. */
export type Recipe =
  | { readonly action: 'keep'; readonly reason: KeptReason; readonly detail?: string }
  | {
      readonly action: 'encode';
      readonly format: 'jpeg' | 'png' | 'webp' | 'avif' | 'gif' | 'tiff';
      readonly lossless: boolean;
    };
