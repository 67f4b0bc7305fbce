"""Read data folders: IDX files, and folders of images."""
