// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * nabat_bus: an I2C adapter (/dev/i2c-7) and an SPI controller (/dev/spidev5.0, 5.1) with nothing on them, for tests.
 * Whatever is sent is kept, and either bus can be told to fail, to hang and to go away. Never load it on a machine
 * that does anything else.
 *
 * In debugfs, under nabat_bus:
 *   log          what was sent since it was read last: struct head, then head.length bytes, one after another
 *   lost         how many transfers found the log full
 *   i2c/error    a positive errno that every transfer ends with; 0 for none. The same under spi/
 *   i2c/hang     1: transfers wait until it is 0 again, or their process is killed
 *   i2c/present  0: the bus is taken away, 1: it is put back
 *   i2c/silent   an address that does not acknowledge; 0 for none
 * The parameters watch_chip and watch_line name a GPIO line whose level is noted with every transfer: a panel that
 * tells commands from data by a line sees it at that moment, too.
 */
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/gpio/consumer.h>
#include <linux/gpio/driver.h>
#include <linux/i2c.h>
#include <linux/kfifo.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/spi/spi.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#define I2C_NUMBER 7
#define SPI_NUMBER 5
#define LOG_BYTES (1 << 22)

struct head {
	u8 kind; /* 'i' or 's' */
	u8 level; /* of the watched line; 0xff when there is none */
	u16 address; /* of an I2C device, or the chip select */
	u32 length;
} __packed;

static char *watch_chip = "";
module_param(watch_chip, charp, 0644);
static int watch_line;
module_param(watch_line, int, 0644);

static DEFINE_MUTEX(log_lock);
static DECLARE_KFIFO_PTR(log, u8);
static u32 lost;
static DECLARE_WAIT_QUEUE_HEAD(waiting);

/* One bus and what is wrong with it. */
struct trouble {
	u32 error, silent;
	bool hang, present;
	struct work_struct come, go;
	struct mutex lock; /* held while the bus comes or goes */
	bool there;
};
static struct trouble i2c, spi;
static struct platform_device *parent;

static u8 watched_level(void)
{
	struct gpio_device *chip;
	struct gpio_desc *line;
	int value = -1;

	if (!*watch_chip)
		return 0xff;
	chip = gpio_device_find_by_label(watch_chip);
	if (!chip)
		return 0xff;
	line = gpio_device_get_desc(chip, watch_line);
	if (!IS_ERR(line))
		value = gpiod_get_raw_value_cansleep(line);
	gpio_device_put(chip);
	return value < 0 ? 0xff : value;
}

static void note(u8 kind, u16 address, const void *bytes, u32 length)
{
	struct head head = { kind, watched_level(), address, length };

	mutex_lock(&log_lock);
	if (kfifo_avail(&log) < sizeof(head) + length) {
		lost++;
	} else {
		kfifo_in(&log, (u8 *)&head, sizeof(head));
		kfifo_in(&log, bytes, length);
	}
	mutex_unlock(&log_lock);
}

/* suffer returns what happens to a transfer before it happens. */
static int suffer(struct trouble *t)
{
	if (READ_ONCE(t->hang)) {
		int e = wait_event_killable(waiting, !READ_ONCE(t->hang));

		if (e)
			return e;
	}
	if (!READ_ONCE(t->present))
		return -ENODEV;
	return -(int)READ_ONCE(t->error);
}

static int i2c_transfer_all(struct i2c_adapter *a, struct i2c_msg *m, int n)
{
	int i, e = suffer(&i2c);

	if (e)
		return e;
	for (i = 0; i < n; i++) {
		if (m[i].addr == READ_ONCE(i2c.silent))
			return -ENXIO;
		if (m[i].flags & I2C_M_RD)
			memset(m[i].buf, 0, m[i].len);
		else
			note('i', m[i].addr, m[i].buf, m[i].len);
	}
	return n;
}

static u32 i2c_abilities(struct i2c_adapter *a)
{
	return I2C_FUNC_I2C | I2C_FUNC_SMBUS_EMUL;
}

static const struct i2c_algorithm algorithm = { .xfer = i2c_transfer_all, .functionality = i2c_abilities };
static struct i2c_adapter adapter;

static int spi_transfer_one(struct spi_controller *c, struct spi_device *d, struct spi_transfer *t)
{
	int e = suffer(&spi);

	if (e)
		return e;
	if (t->tx_buf)
		note('s', spi_get_chipselect(d, 0), t->tx_buf, t->len);
	if (t->rx_buf)
		memset(t->rx_buf, 0, t->len);
	return 0;
}

static struct spi_controller *controller;

static void i2c_come(struct work_struct *w)
{
	mutex_lock(&i2c.lock);
	if (!i2c.there) {
		memset(&adapter, 0, sizeof(adapter));
		adapter.owner = THIS_MODULE;
		adapter.algo = &algorithm;
		adapter.nr = I2C_NUMBER;
		adapter.dev.parent = &parent->dev;
		strscpy(adapter.name, "nabat_bus", sizeof(adapter.name));
		i2c.there = i2c_add_numbered_adapter(&adapter) == 0;
	}
	mutex_unlock(&i2c.lock);
}

/* The kernel lets an adapter go when the last file that has it open is closed. */
static void i2c_go(struct work_struct *w)
{
	mutex_lock(&i2c.lock);
	if (i2c.there)
		i2c_del_adapter(&adapter);
	i2c.there = false;
	mutex_unlock(&i2c.lock);
}

static void spi_come(struct work_struct *w)
{
	int i;

	mutex_lock(&spi.lock);
	if (!spi.there) {
		controller = spi_alloc_host(&parent->dev, 0);
		if (controller) {
			controller->bus_num = SPI_NUMBER;
			controller->num_chipselect = 2;
			controller->mode_bits = SPI_CPOL | SPI_CPHA | SPI_CS_HIGH;
			controller->transfer_one = spi_transfer_one;
			spi.there = spi_register_controller(controller) == 0;
			if (!spi.there)
				spi_controller_put(controller);
		}
		for (i = 0; spi.there && i < 2; i++) {
			/* A name that spidev answers to. */
			struct spi_board_info info = { .modalias = "dh2228fv", .max_speed_hz = 20000000, .chip_select = i };

			spi_new_device(controller, &info);
		}
	}
	mutex_unlock(&spi.lock);
}

static void spi_go(struct work_struct *w)
{
	mutex_lock(&spi.lock);
	if (spi.there)
		spi_unregister_controller(controller);
	spi.there = false;
	mutex_unlock(&spi.lock);
}

static int flag_get(void *data, u64 *value)
{
	*value = READ_ONCE(*(bool *)data);
	return 0;
}

static int hang_set(void *data, u64 value)
{
	WRITE_ONCE(*(bool *)data, value != 0);
	wake_up_all(&waiting);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(hang_file, flag_get, hang_set, "%llu\n");

static int present_set(void *data, u64 value)
{
	struct trouble *t = data;

	WRITE_ONCE(t->present, value != 0);
	/* Each waits for the other in its own time; who writes does not. */
	queue_work(system_long_wq, value ? &t->come : &t->go);
	return 0;
}

static int present_get(void *data, u64 *value)
{
	*value = READ_ONCE(((struct trouble *)data)->there);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(present_file, present_get, present_set, "%llu\n");

static ssize_t log_read(struct file *f, char __user *to, size_t n, loff_t *at)
{
	unsigned int copied;
	int e;

	mutex_lock(&log_lock);
	e = kfifo_to_user(&log, to, n, &copied);
	mutex_unlock(&log_lock);
	return e ? e : copied;
}
static const struct file_operations log_file = { .owner = THIS_MODULE, .read = log_read };

static void offer(struct dentry *root, const char *name, struct trouble *t, work_func_t come, work_func_t go)
{
	struct dentry *dir = debugfs_create_dir(name, root);

	mutex_init(&t->lock);
	INIT_WORK(&t->come, come);
	INIT_WORK(&t->go, go);
	t->present = true;
	debugfs_create_u32("error", 0600, dir, &t->error);
	debugfs_create_u32("silent", 0600, dir, &t->silent);
	debugfs_create_file_unsafe("hang", 0600, dir, &t->hang, &hang_file);
	debugfs_create_file_unsafe("present", 0600, dir, t, &present_file);
	come(&t->come);
}

static int __init nabat_bus_init(void)
{
	struct dentry *root;
	int e = kfifo_alloc(&log, LOG_BYTES, GFP_KERNEL);

	if (e)
		return e;
	parent = platform_device_register_simple("nabat_bus", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(parent)) {
		kfifo_free(&log);
		return PTR_ERR(parent);
	}
	root = debugfs_create_dir("nabat_bus", NULL);
	debugfs_create_file("log", 0400, root, NULL, &log_file);
	debugfs_create_u32("lost", 0400, root, &lost);
	offer(root, "i2c", &i2c, i2c_come, i2c_go);
	offer(root, "spi", &spi, spi_come, spi_go);
	return 0;
}
module_init(nabat_bus_init);

/* There is no exit: the guest powers off. */
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("I2C and SPI buses for tests, with a log and faults");
