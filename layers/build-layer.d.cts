export function layerFolder(cpu: 'arm64' | 'x64'): string;
export function buildLayer(serviceDir: string, cpu: 'arm64' | 'x64'): Promise<string>;
