/*
 * slow-fs DIR UID GID: mounts a FUSE file system on DIR, as fusermount3 does for a
 * user, says "mounted". It has one file, whatever its name, of one page that is
 * never read: a page fault on its mapping lasts until this process ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static char request[1 << 20];

int main(int argc, char **argv)
{
	char options[200];
	int fd = open("/dev/fuse", O_RDWR);

	if (argc != 4 || fd < 0)
		return perror("/dev/fuse"), 1;
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%s,group_id=%s", fd, argv[2], argv[3]);
	if (mount("slow", argv[1], "fuse", MS_NOSUID | MS_NODEV, options) < 0)
		return perror("mount"), 1;
	puts("mounted");
	fflush(stdout);
	for (;;) {
		struct fuse_in_header *in = (void *)request;
		struct {
			struct fuse_out_header out;
			union {
				struct fuse_init_out init;
				struct fuse_entry_out entry;
				struct fuse_attr_out attr;
				struct fuse_open_out open;
			} u;
		} answer;
		size_t size;

		if (read(fd, request, sizeof request) < 0) {
			if (errno == EINTR || errno == ENOENT)
				continue;
			return 1;
		}
		memset(&answer, 0, sizeof answer);
		switch (in->opcode) {
		case FUSE_INIT:
			answer.u.init = (struct fuse_init_out){.major = 7, .minor = 31, .max_write = 4096};
			size = sizeof answer.u.init;
			break;
		case FUSE_LOOKUP:
			answer.u.entry = (struct fuse_entry_out){
				.nodeid = 2, .entry_valid = 60, .attr_valid = 60, .attr = {.ino = 2, .mode = 0100644, .size = 4096, .nlink = 1}};
			size = sizeof answer.u.entry;
			break;
		case FUSE_GETATTR:
			answer.u.attr.attr = (struct fuse_attr){.ino = in->nodeid, .nlink = 1, .size = 4096, .mode = in->nodeid == 1 ? 040755 : 0100644};
			size = sizeof answer.u.attr;
			break;
		case FUSE_OPEN:
		case FUSE_OPENDIR:
			size = sizeof answer.u.open;
			break;
		case FUSE_READ:
			continue;
		default:
			answer.out.error = -ENOSYS;
			size = 0;
		}
		answer.out.unique = in->unique;
		answer.out.len = sizeof answer.out + size;
		if (write(fd, &answer, answer.out.len) < 0 && errno != ENOENT)
			return perror("write"), 1;
	}
}
